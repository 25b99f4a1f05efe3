//! The task of one link: what it is handed, and which of the three kinds it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use caly_provider::link::{LinkEnd, LinkEvent, LinkId, Message, Request};
use tokio::sync::{mpsc, oneshot};

use super::{Pump, http, program, websocket};

/// An event on its way to the call.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) link: LinkId,
    pub(super) serial: u64,
    pub(super) event: LinkEvent,
}

/// A link's way to its call.
pub(super) struct Teller {
    pub(super) link: LinkId,
    pub(super) serial: u64,
    pub(super) events: mpsc::Sender<Told>,
}

/// What the call wants sent.
pub(super) struct Outbox {
    pub(super) orders: mpsc::Receiver<Message>,
    /// Bytes of all that waits.
    pub(super) queued_bytes: Arc<AtomicUsize>,
}

/// Ready when the owner has closed the link.
pub(super) type Closing = oneshot::Receiver<()>;

/// Carries a link until it is over or its owner has closed it.
pub(super) async fn run(pump: Pump, request: Request, outbox: Outbox, teller: Teller, mut closing: Closing) {
    match request {
        // Boxed, so that a program's task does not take the room of a WebSocket's.
        Request::WebSocket(endpoint) => {
            Box::pin(websocket::run(&pump, &endpoint, outbox, &teller, &mut closing)).await;
        }
        Request::Http(request) => {
            let exchange = Box::pin(http::exchange(&pump, request, &teller));
            until_closed(&teller, exchange, &mut closing).await;
        }
        Request::Program(request) => {
            let program = Box::pin(program::run(request, &teller));
            until_closed(&teller, program, &mut closing).await;
        }
    }
}

/// Tells how the work ended, unless the owner closes the link: then it is broken off.
pub(super) async fn until_closed(
    teller: &Teller,
    work: impl Future<Output = LinkEnd>,
    closing: &mut Closing,
) {
    let told = async { teller.tell(LinkEvent::Ended(work.await)).await };
    tokio::select! {
        () = told => {}
        _ = closing => {}
    }
}

impl Teller {
    /// Waits until the call has room for it.
    pub(super) async fn tell(&self, event: LinkEvent) {
        // A call that is gone hears nothing, and this task is about to be ended.
        let _gone = self.events.send(Told { link: self.link, serial: self.serial, event }).await;
    }
}

impl Outbox {
    /// The next message; `None` when the owner has closed the link and all that was ordered before has been handed out.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let message = self.orders.recv().await?;
        self.queued_bytes.fetch_sub(length(&message), Ordering::Relaxed);
        Some(message)
    }
}

/// Bytes of a message.
pub(super) fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
    }
}
