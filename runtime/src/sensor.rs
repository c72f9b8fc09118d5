//! The host's processor and memory, through sysinfo.

use std::time::Instant;

use nunect_core::HostReport;
use sysinfo::{CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, System};

/// The name of this host, if it has one.
#[must_use]
pub fn host_name() -> Option<String> {
    System::host_name().ok()
}

/// Measures the machine. It never looks at processes, which would cost a hundred times as much.
pub struct HostSensor {
    /// Absent on a platform that sysinfo does not know: then nothing is ever reported.
    system: Option<System>,
    /// When the processor was measured last.
    measured: Option<Instant>,
    cpu_percent: Option<f32>,
}

impl Default for HostSensor {
    fn default() -> Self {
        Self::new()
    }
}

impl HostSensor {
    /// A sensor that has measured nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { system: System::new().ok(), measured: None, cpu_percent: None }
    }

    /// Measures now.
    ///
    /// Processor use is that of all cores since the sample before, absent the first time; closer
    /// together than 200 ms ([`MINIMUM_CPU_UPDATE_INTERVAL`]) it repeats the sample before. Memory in
    /// use is what is not available.
    pub fn sample(&mut self) -> HostReport {
        let Some(system) = &mut self.system else { return HostReport::default() };
        if self.measured.is_none_or(|at| at.elapsed() >= MINIMUM_CPU_UPDATE_INTERVAL) {
            system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
            // The first figure is that of all the time since the host started.
            self.cpu_percent = self.measured.is_some().then(|| system.global_cpu_usage());
            self.measured = Some(Instant::now());
        }
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let total = system.total_memory();
        let used = total.saturating_sub(system.available_memory());
        #[allow(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
        let memory_percent = (total > 0).then(|| (used as f64 / total as f64 * 100.0) as f32);
        HostReport { cpu_percent: self.cpu_percent, memory_percent }
    }
}
