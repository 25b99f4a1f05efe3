//! A WebSocket that is to be there as long as a call needs it: opened in time, kept alive, opened anew when it breaks, given up when
//! that does not help. What is said on it is its owner's business.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Fault, FaultKind, Retry, RetryConfig};
use crate::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, LinkOrder, Message, Request, ResponseHead};

/// What the owner of a connection is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The link is open: say what has to be said first. Then [`Connection::is_ready`] if the vendor confirms nothing.
    Opened(ResponseHead),
    /// A message.
    Received(Message),
    /// It broke, and is opened again at its time: [`ConnectionEvent::Opened`] or [`ConnectionEvent::Failed`] follows.
    Lost(Fault),
    /// It broke and is given up; [`Connection::open`] begins anew.
    Failed(Fault),
}

/// The connection.
#[derive(Debug)]
pub struct Connection {
    links: LinkIds,
    state: State,
    request: Option<Request>,
    connect: Duration,
    retry: Retry,
    /// What is said when nothing was said for so long.
    keep_alive: Option<(Duration, Message)>,
    last_sent: Option<Instant>,
    orders: VecDeque<LinkOrder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody wants it.
    Closed,
    /// It is being opened, or the vendor has not said that it is ready.
    Opening {
        link: LinkId,
        by: Instant,
    },
    Ready {
        link: LinkId,
        since: Instant,
    },
    /// It broke.
    Waiting {
        until: Instant,
    },
}

/// Hands out the names of links.
#[derive(Clone, Debug)]
pub struct LinkIds {
    next: u64,
}

impl LinkIds {
    /// The names of one client: no two clients of a call have the same number.
    pub fn of_client(number: u32) -> Self {
        Self { next: u64::from(number) << 32 }
    }

    /// A name that nobody had before.
    pub fn fresh(&mut self) -> LinkId {
        let id = LinkId(self.next);
        self.next += 1;
        id
    }
}

impl Connection {
    /// One that nobody has opened yet; `connect` is the time that it has to become ready each time.
    pub fn new(links: LinkIds, connect: Duration, retry: RetryConfig) -> Self {
        Self {
            links,
            state: State::Closed,
            request: None,
            connect,
            retry: Retry::new(retry),
            keep_alive: None,
            last_sent: None,
            orders: VecDeque::new(),
        }
    }

    /// Opens it, unless it is open or about to be.
    pub fn open(&mut self, now: Instant, request: Request) {
        self.request = Some(request);
        if self.state == State::Closed {
            self.retry.succeeded();
            self.dial(now);
        }
    }

    /// Closes it in peace; what was sent before still goes out.
    pub fn close(&mut self) {
        if let Some(link) = self.link() {
            self.orders.push_back(LinkOrder { link, deed: LinkDeed::Close });
        }
        self.state = State::Closed;
        self.keep_alive = None;
    }

    /// The vendor is ready. A connection that was so for ten seconds counts its failures anew: one that breaks each time that it is used is
    /// given up.
    pub fn ready(&mut self, now: Instant) {
        if let State::Opening { link, .. } = self.state {
            self.state = State::Ready { link, since: now };
        }
    }

    /// What to say when nothing was said for so long, until the connection breaks.
    pub fn keep_alive(&mut self, every: Duration, message: Message) {
        self.keep_alive = Some((every, message));
    }

    /// Sends a message; without a link it is dropped.
    pub fn send(&mut self, now: Instant, message: Message) {
        let Some(link) = self.link() else { return };
        self.last_sent = Some(now);
        self.orders.push_back(LinkOrder { link, deed: LinkDeed::Send(message) });
    }

    /// What the owner has found in the vendor's words makes the connection useless.
    pub fn fail(&mut self, now: Instant, fault: Fault) -> ConnectionEvent {
        if let Some(link) = self.link() {
            self.orders.push_back(LinkOrder { link, deed: LinkDeed::Close });
        }
        self.broke(now, fault)
    }

    /// What became of a link; those of other links are ignored. `why` is what the vendor means by a code and a reason, where it tells a fault by them
    /// alone.
    pub fn handle_link(
        &mut self,
        now: Instant,
        link: LinkId,
        event: LinkEvent,
        why: impl FnOnce(Option<u16>, &str) -> Option<Fault>,
    ) -> Option<ConnectionEvent> {
        if self.link() != Some(link) {
            return None;
        }
        Some(match event {
            LinkEvent::Opened(head) => ConnectionEvent::Opened(head),
            LinkEvent::Received(message) => ConnectionEvent::Received(message),
            LinkEvent::Ended(end) => {
                let told = match &end {
                    LinkEnd::Closed { code, reason } => why(*code, reason),
                    LinkEnd::Complete | LinkEnd::Failed(_) => None,
                };
                self.broke(now, told.unwrap_or_else(|| Fault::of_end(&end)))
            }
        })
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ConnectionEvent> {
        match self.state {
            State::Opening { by, .. } if by <= now => {
                let waited = self.connect.as_millis();
                let fault = Fault::new(FaultKind::Timeout, format!("it was not ready within {waited} ms"));
                Some(self.fail(now, fault))
            }
            State::Waiting { until } if until <= now => {
                self.dial(now);
                None
            }
            State::Ready { .. } => {
                if self.keep_alive_due().is_some_and(|due| due <= now)
                    && let Some((_, message)) = self.keep_alive.clone()
                {
                    self.send(now, message);
                }
                None
            }
            State::Closed | State::Opening { .. } | State::Waiting { .. } => None,
        }
    }

    /// When to call [`Connection::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Opening { by, .. } => Some(by),
            State::Waiting { until } => Some(until),
            State::Ready { .. } => self.keep_alive_due(),
        }
    }

    /// The next order.
    pub fn poll_order(&mut self) -> Option<LinkOrder> {
        self.orders.pop_front()
    }

    /// Whether the vendor takes what is sent.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. })
    }

    /// Whether nobody wants it, or it was given up.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn dial(&mut self, now: Instant) {
        let Some(request) = self.request.clone() else { return };
        let link = self.links.fresh();
        self.state = State::Opening { link, by: now + self.connect };
        self.last_sent = Some(now);
        self.orders.push_back(LinkOrder { link, deed: LinkDeed::Open(request) });
    }

    fn broke(&mut self, now: Instant, fault: Fault) -> ConnectionEvent {
        self.keep_alive = None;
        if let State::Ready { since, .. } = self.state
            && now.saturating_duration_since(since) >= STEADY
        {
            self.retry.succeeded();
        }
        match self.retry.failed(now, &fault) {
            Some(until) => {
                self.state = State::Waiting { until };
                ConnectionEvent::Lost(fault)
            }
            None => {
                self.state = State::Closed;
                ConnectionEvent::Failed(fault)
            }
        }
    }

    fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Opening { link, .. } | State::Ready { link, .. } => Some(link),
            State::Closed | State::Waiting { .. } => None,
        }
    }

    fn keep_alive_due(&self) -> Option<Instant> {
        let (every, _) = self.keep_alive.as_ref()?;
        Some(self.last_sent? + *every)
    }
}

/// A connection that lasts for so long is worth more than the tries that it took.
const STEADY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
