//! What a node does for the lives of its actors.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::actor::Birth;
use nunect_core::{BusEvent, Contract, Incarnation, NodeReport, PortName, Sensor};
use tokio::sync::watch;

use super::Shared;
use crate::component::{Component, Control};
use crate::port::Port;
use crate::sync::lock;

/// How often the host is measured at most.
const SENSE_MIN: Duration = Duration::from_millis(250);

impl Shared {
    /// The inputs that a life begins with: it has started, and this is how things stand.
    pub(crate) fn first_inputs(&self, component: &Component) -> Vec<Control> {
        let mut inputs = vec![Control::Started];
        if component.wants(|sensor| matches!(sensor, Sensor::Host { .. })) {
            inputs.push(Control::Host(lock(&self.sensor).1));
        }
        if component.wants(|sensor| matches!(sensor, Sensor::Node)) {
            inputs.push(Control::Node(NodeReport::Health(lock(&self.health).health())));
        }
        if component.wants(|sensor| matches!(sensor, Sensor::Bus)) {
            let connected = lock(&self.outbox).is_connected();
            inputs.push(Control::Bus(if connected { BusEvent::Connected } else { BusEvent::Disconnected }));
        }
        if component.wants(|sensor| matches!(sensor, Sensor::Claim)) {
            inputs.push(Control::Node(NodeReport::Clock(lock(&self.outbox).clock())));
        }
        if component.wants(|sensor| matches!(sensor, Sensor::Clock { .. })) {
            inputs.extend(lock(&self.clocks).values().cloned().map(Control::Clock));
        }
        inputs
    }

    /// Sees to what a contract wants of the node: measures as often as the most eager actor wants.
    pub(crate) fn serve(&self, component: &Component, contract: &Contract) {
        let sooner = |present: &watch::Sender<Option<Duration>>, every: Duration| {
            present.send_if_modified(|present| {
                let sooner = present.is_none_or(|present| every < present);
                if sooner {
                    *present = Some(every);
                }
                sooner
            });
        };
        for sensor in &contract.sensors {
            match sensor {
                Sensor::Host { every } => sooner(&self.sense_every, (*every).max(SENSE_MIN)),
                Sensor::Link { every } => sooner(&self.link_every, (*every).max(SENSE_MIN)),
                Sensor::Clock { every } => sooner(&self.clock_every, (*every).max(SENSE_MIN)),
                Sensor::Log => self.logs.ship_to(&component.name),
                Sensor::Bus | Sensor::Node | Sensor::Claim => {}
            }
        }
        if let Some(grants) = lock(&self.outbox).grants_mut() {
            grants.extend(contract.publishes.iter().cloned());
        }
    }

    /// Starts the tasks behind the ports of a life.
    ///
    /// # Errors
    /// When the host has no such task.
    pub(crate) fn open_ports(
        self: &Arc<Self>,
        component: &Arc<Component>,
        incarnation: Incarnation,
        ports: &[PortName],
    ) -> Result<(), String> {
        let mut opened = Vec::new();
        for &name in ports {
            let Some(task) = self.ports.get(name) else {
                return Err(format!("this program has no task for its port `{name}`; add one with Program::with_port"));
            };
            let (sender, port) = Port::open(self.unit.clone(), component, incarnation, name);
            opened.push((name, sender));
            let (work, component) = (task(port), Arc::downgrade(component));
            let mut tasks = lock(&self.port_tasks);
            // Those of lives that are over.
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                let ended = match tokio::spawn(work).await {
                    Ok(Ok(())) => "it ended".to_owned(),
                    Ok(Err(reason)) => reason,
                    Err(error) => error.to_string(),
                };
                if let Some(component) = component.upgrade() {
                    component.control_life(incarnation, Control::PortEnded(name, ended));
                }
            });
        }
        component.set_ports(opened);
        Ok(())
    }

    pub(crate) fn birth(&self, component: &Component, incarnation: Incarnation) -> Birth {
        Birth {
            unit: self.unit.clone(),
            role: self.role,
            session: self.session.clone(),
            actor: component.name.clone(),
            incarnation,
            unit_started: self.started,
            entropy: self.entropy.clone(),
        }
    }
}
