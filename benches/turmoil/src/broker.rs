//! The host in the middle: it passes on what is published to whoever wants it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncWriteExt, BufReader, split};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use turmoil::net::{TcpListener, TcpStream};

use crate::frame::{Frame, Kind};

/// Where it listens.
pub(crate) const PORT: u16 = 4222;

/// Who wants what.
type Subscribers = Rc<RefCell<HashMap<String, Vec<UnboundedSender<Rc<[u8]>>>>>>;

pub(crate) async fn run() -> turmoil::Result {
    let subscribers = Subscribers::default();
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let subscribers = Rc::clone(&subscribers);
        tokio::task::spawn_local(async move {
            if let Err(error) = serve(stream, &subscribers).await {
                // No connection ends while time is taken; the counters of the hosts would tell.
                eprintln!("a connection ended: {error}");
            }
        });
    }
}

async fn serve(stream: TcpStream, subscribers: &Subscribers) -> io::Result<()> {
    let (reading, mut writing) = split(stream);
    let (sender, mut frames) = unbounded_channel::<Rc<[u8]>>();
    tokio::task::spawn_local(async move {
        while let Some(bytes) = frames.recv().await {
            if writing.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut reading = BufReader::new(reading);
    loop {
        let frame = Frame::read(&mut reading).await?;
        match frame.kind {
            Kind::Subscribe => subscribers.borrow_mut().entry(frame.subject).or_default().push(sender.clone()),
            Kind::Publish => {
                let subscribers = subscribers.borrow();
                let Some(wanting) = subscribers.get(&frame.subject) else { continue };
                let bytes: Rc<[u8]> = frame.bytes().into();
                // Whoever is gone wants nothing.
                wanting.iter().for_each(|sender| drop(sender.send(Rc::clone(&bytes))));
            }
        }
    }
}
