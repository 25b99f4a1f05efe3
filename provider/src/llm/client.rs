//! Asks for answers: the best provider first, another one when it fails or, if that is wished, when it is slow.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Decoder, Piece, Prompt, Vendor};
use crate::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, LinkOrder, Message, Request};
use crate::policy::chain::{Chain, Tried};
use crate::policy::connection::LinkIds;
use crate::policy::{Fault, FaultKind, Patience, earliest};

/// Names one question of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// What a client needs.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The providers as the chain has them: the same number, the same order.
    pub vendors: Vec<Arc<dyn Vendor>>,
    /// Whom to ask when.
    pub chain: Chain,
    /// When nothing has come for so long, the next provider is asked beside the first, and whoever begins first is heard.
    pub hedge_after: Option<Duration>,
}

/// What the client wants or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be done with a link.
    Link(LinkOrder),
    /// This provider is asked.
    Asked {
        /// The question.
        ask: AskId,
        /// Number of the provider in the chain.
        provider: usize,
    },
    /// A provider has accepted the question.
    Accepted {
        /// The question.
        ask: AskId,
        /// Number of the provider in the chain.
        provider: usize,
        /// The vendor's name of the request.
        request_id: Option<String>,
    },
    /// A piece of the answer.
    Piece {
        /// The question.
        ask: AskId,
        /// Number of the provider in the chain.
        provider: usize,
        /// The piece.
        piece: Piece,
    },
    /// A provider was of no use; somebody else is asked, or the same again, unless [`Output::Failed`] follows.
    Fault {
        /// The question.
        ask: AskId,
        /// Number of the provider in the chain.
        provider: usize,
        /// What went wrong.
        fault: Fault,
    },
    /// There is no answer, or no rest of one. The question is done with.
    Failed {
        /// The question.
        ask: AskId,
        /// Some of the answer has come.
        has_begun: bool,
    },
}

/// The client of one call.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    links: LinkIds,
    next: u64,
    asks: Vec<Ask>,
    /// Links of answers that are complete, and until when they may come to their own end: then their connections can be used again.
    lingering: Vec<(LinkId, Instant)>,
    outputs: VecDeque<Output>,
}

/// A question that is not answered.
#[derive(Debug)]
struct Ask {
    id: AskId,
    prompt: Arc<Prompt>,
    tried: Tried,
    attempts: Vec<Attempt>,
    /// When to ask again, if nobody is being asked.
    retry_at: Option<Instant>,
    /// When to ask another one beside the first.
    hedge_at: Option<Instant>,
    has_begun: bool,
}

/// One request.
#[derive(Debug)]
struct Attempt {
    provider: usize,
    link: LinkId,
    decoder: Box<dyn Decoder>,
    has_begun: bool,
    by: Instant,
}

impl Client {
    /// The client of a call.
    pub fn new(config: ClientConfig, links: LinkIds) -> Self {
        Self { config, links, next: 0, asks: Vec::new(), lingering: Vec::new(), outputs: VecDeque::new() }
    }

    /// Asks. At most four questions are open; the oldest is given up for one more.
    pub fn ask(&mut self, now: Instant, prompt: Arc<Prompt>) -> AskId {
        self.ask_others(now, prompt, None)
    }

    /// Asks, but not the one who has just broken off, unless nobody else is there.
    pub fn ask_others(&mut self, now: Instant, prompt: Arc<Prompt>, not: Option<usize>) -> AskId {
        if self.asks.len() >= MAX_ASKS {
            let oldest = self.asks[0].id;
            self.cancel(oldest);
        }
        let id = AskId(self.next);
        self.next += 1;
        let hedge_at = self.config.hedge_after.map(|after| now + after);
        let mut tried = Tried::default();
        not.filter(|_| self.config.chain.len() > 1).iter().for_each(|number| tried.mark(*number));
        let (attempts, has_begun) = (Vec::new(), false);
        self.asks.push(Ask { id, prompt, tried, attempts, retry_at: None, hedge_at, has_begun });
        self.attempt(now, self.asks.len() - 1);
        id
    }

    /// Nobody wants the answer any more; nothing more is told of it.
    pub fn cancel(&mut self, ask: AskId) {
        let Some(at) = self.asks.iter().position(|open| open.id == ask) else { return };
        let done = self.asks.remove(at);
        done.attempts.iter().for_each(|attempt| self.close(attempt.link));
    }

    /// What became of a link; those of others are ignored.
    pub fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        let Some(place) = self.place(link) else {
            if let LinkEvent::Ended(_) = event {
                self.lingering.retain(|(one, _)| *one != link);
            }
            return;
        };
        let attempt = &mut self.asks[place.ask].attempts[place.attempt];
        let mut pieces = Vec::new();
        match event {
            LinkEvent::Opened(head) => {
                let provider = attempt.provider;
                let ask = self.asks[place.ask].id;
                self.outputs.push_back(Output::Accepted { ask, provider, request_id: head.request_id });
            }
            LinkEvent::Received(message) => {
                let part = match &message {
                    Message::Binary(part) => part.as_slice(),
                    Message::Text(text) => text.as_bytes(),
                };
                let known = attempt.decoder.argument_bytes();
                let outcome = attempt.decoder.receive(part, &mut pieces);
                let has_grown = attempt.decoder.argument_bytes() > known;
                self.received(now, link, pieces);
                if has_grown {
                    self.goes_on(now, link);
                }
                if let Err(fault) = outcome {
                    self.close(link);
                    self.broke(now, link, fault);
                }
            }
            LinkEvent::Ended(LinkEnd::Complete) => {
                let outcome = attempt.decoder.end(&mut pieces);
                self.received(now, link, pieces);
                self.broke(now, link, outcome.err().unwrap_or_else(|| Fault::of_end(&LinkEnd::Complete)));
            }
            LinkEvent::Ended(end) => self.broke(now, link, Fault::of_end(&end)),
        }
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late: Vec<(LinkId, usize, bool)> = self
            .attempts()
            .filter(|one| one.by <= now)
            .map(|one| (one.link, one.provider, one.has_begun))
            .collect();
        for (link, provider, has_begun) in late {
            let patience = self.patience(provider);
            let (waited, what) = if has_begun {
                (patience.stall, "the answer stood still")
            } else {
                (patience.first, "no answer")
            };
            let fault = Fault::new(FaultKind::Timeout, format!("{what} for {} ms", waited.as_millis()));
            self.close(link);
            self.broke(now, link, fault);
        }
        while let Some(at) = self.lingering.iter().position(|(_, until)| *until <= now) {
            let (link, _) = self.lingering.remove(at);
            self.close(link);
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for place in 0..self.asks.len() {
            if due(self.asks[place].retry_at) {
                self.attempt(now, place);
            }
            if due(self.asks[place].hedge_at) {
                self.asks[place].hedge_at = None;
                self.hedge(now, place);
            }
        }
    }

    /// When to call [`Client::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let attempts = self.attempts().map(|attempt| Some(attempt.by));
        let lingering = self.lingering.iter().map(|(_, until)| Some(*until));
        earliest(
            attempts.chain(lingering).chain(self.asks.iter().flat_map(|ask| [ask.retry_at, ask.hedge_at])),
        )
    }

    /// What it wants or tells.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Asks whoever comes next, if anybody does.
    fn attempt(&mut self, now: Instant, place: usize) {
        let ask = &mut self.asks[place];
        ask.retry_at = None;
        // Who is alone is asked a second time.
        let alone = (self.config.chain.len() == 1 && ask.tried.total() < LEAST_TRIES).then_some(0);
        let Some(provider) = self.config.chain.pick(now, &ask.tried).or(alone) else { return };
        let Some(vendor) = self.config.vendors.get(provider) else { return };
        ask.tried.mark(provider);
        let link = self.links.fresh();
        let request = Request::Http(vendor.request(&ask.prompt));
        let by = now + vendor.patience().first;
        ask.attempts.push(Attempt { provider, link, decoder: vendor.decoder(), has_begun: false, by });
        self.outputs.push_back(Output::Asked { ask: ask.id, provider });
        self.outputs.push_back(Output::Link(LinkOrder { link, deed: LinkDeed::Open(request) }));
    }

    /// Asks another one beside who is slow.
    fn hedge(&mut self, now: Instant, place: usize) {
        let ask = &self.asks[place];
        let is_slow = ask.attempts.len() == 1 && !ask.has_begun;
        if is_slow && self.config.chain.has_untried(&ask.tried) {
            self.attempt(now, place);
        }
    }

    /// One more part of the answer is waited for.
    fn goes_on(&mut self, now: Instant, link: LinkId) {
        let Some(place) = self.place(link) else { return };
        let stall = self.patience(self.asks[place.ask].attempts[place.attempt].provider).stall;
        self.asks[place.ask].attempts[place.attempt].by = now + stall;
    }

    fn received(&mut self, now: Instant, link: LinkId, pieces: Vec<Piece>) {
        for piece in pieces {
            self.goes_on(now, link);
            let Some(place) = self.place(link) else { return };
            let ask = &mut self.asks[place.ask];
            let attempt = &mut ask.attempts[place.attempt];
            if !attempt.has_begun && !matches!(piece, Piece::Usage(_)) {
                attempt.has_begun = true;
                (ask.has_begun, ask.hedge_at) = (true, None);
                self.config.chain.succeeded(attempt.provider);
                self.keep_only(place.ask, link);
            }
            let Some(place) = self.place(link) else { return };
            let (ask, provider) =
                (self.asks[place.ask].id, self.asks[place.ask].attempts[place.attempt].provider);
            let is_last = matches!(piece, Piece::Finished(_));
            self.outputs.push_back(Output::Piece { ask, provider, piece });
            if is_last {
                self.lingering.push((link, now + LINGER));
                self.asks.remove(place.ask);
            }
        }
    }

    /// Whoever began first is heard.
    fn keep_only(&mut self, place: usize, link: LinkId) {
        let (kept, others) =
            std::mem::take(&mut self.asks[place].attempts).into_iter().partition(|one| one.link == link);
        self.asks[place].attempts = kept;
        let others: Vec<Attempt> = others;
        others.iter().for_each(|attempt| self.close(attempt.link));
    }

    /// An attempt is over and the answer is not complete.
    fn broke(&mut self, now: Instant, link: LinkId, fault: Fault) {
        let Some(place) = self.place(link) else { return };
        let ask = &mut self.asks[place.ask];
        let attempt = ask.attempts.remove(place.attempt);
        self.config.chain.failed(now, attempt.provider, &fault);
        let wait = fault.retry_after.unwrap_or_default();
        let is_permanent = fault.kind.is_permanent();
        self.outputs.push_back(Output::Fault { ask: ask.id, provider: attempt.provider, fault });
        if !ask.attempts.is_empty() {
            return;
        }
        let others = self.config.chain.has_untried(&ask.tried);
        let again = self.config.chain.len() == 1
            && ask.tried.total() < LEAST_TRIES
            && !is_permanent
            && wait <= LONGEST_WAIT;
        if attempt.has_begun || !(others || again) {
            let (id, has_begun) = (ask.id, ask.has_begun);
            self.asks.remove(place.ask);
            return self.outputs.push_back(Output::Failed { ask: id, has_begun });
        }
        if others {
            return self.attempt(now, place.ask);
        }
        ask.retry_at = Some(now + wait);
    }

    fn close(&mut self, link: LinkId) {
        self.outputs.push_back(Output::Link(LinkOrder { link, deed: LinkDeed::Close }));
    }

    fn patience(&self, provider: usize) -> Patience {
        self.config.vendors.get(provider).map_or(Patience::LLM, |vendor| vendor.patience())
    }

    fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.asks.iter().flat_map(|ask| &ask.attempts)
    }

    fn place(&self, link: LinkId) -> Option<Place> {
        self.asks.iter().enumerate().find_map(|(ask, open)| {
            let attempt = open.attempts.iter().position(|attempt| attempt.link == link)?;
            Some(Place { ask, attempt })
        })
    }
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    ask: usize,
    attempt: usize,
}

/// A turn, the one thought of before it, and two that nobody has cancelled yet.
const MAX_ASKS: usize = 4;
/// Who is alone is asked once more.
const LEAST_TRIES: u32 = 2;
/// With fillers a caller holds out so long.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The end of a body follows the end of its answer at once.
const LINGER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
