//! The table of client transactions (RFC 3261 17.1).

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Instant;

use super::client::Client;
use super::client_invite::ClientInvite;
use super::key::ClientKey;
use super::{Armed, ClientAction, ClientInput};
use crate::endpoint::Transmit;
use crate::endpoint::outbound::Outbound;
use crate::endpoint::schedule::{Owner, Schedule};
use crate::endpoint::token::SeededHasher;
use crate::message::Method;
use crate::transport::Transport;

/// Names a client transaction. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ClientId(u64);

/// One client transaction.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    machine: Machine,
    armed: Armed,
    registered: Option<Instant>,
    key: ClientKey,
    /// The request as sent, topmost Via included, and where else it could go.
    pub(crate) outbound: Outbound,
    /// The request as sent, for retransmission.
    pub(crate) sent: Transmit,
    /// The ACKs of 2xx responses by To tag, to be repeated with them (RFC 3261 13.2.2.4). `None` while the address
    /// of the ACK is being asked for.
    acks: Vec<(Box<str>, Option<Transmit>)>,
}

/// Whether a 2xx of an INVITE was seen before (RFC 3261 13.2.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    First,
    Repeated,
    /// From one branch more than anybody forks to: ignored.
    TooMany,
}

#[derive(Debug)]
enum Machine {
    Invite(ClientInvite),
    Other(Client),
}

impl ClientTransaction {
    fn is_terminated(&self) -> bool {
        match self.machine {
            Machine::Invite(machine) => machine == ClientInvite::Terminated,
            Machine::Other(machine) => machine == Client::Terminated,
        }
    }

    /// Notes a 2xx by its To tag.
    pub(crate) fn note_answer(&mut self, tag: &str) -> Answer {
        if self.acks.iter().any(|(seen, _)| **seen == *tag) {
            return Answer::Repeated;
        }
        if self.acks.len() >= MAX_FORKS {
            return Answer::TooMany;
        }
        self.acks.push((tag.into(), None));
        Answer::First
    }

    /// Keeps the ACK of a noted response for its repeats.
    pub(crate) fn keep_ack(&mut self, tag: &str, transmit: Transmit) {
        if let Some((_, ack)) = self.acks.iter_mut().find(|(seen, _)| **seen == *tag) {
            *ack = Some(transmit);
        }
    }

    /// The ACK of a noted response, once it was sent.
    pub(crate) fn ack(&self, tag: &str) -> Option<&Transmit> {
        self.acks.iter().find(|(seen, _)| **seen == *tag)?.1.as_ref()
    }

    /// The request for its next address, if there is one.
    pub(crate) fn take_retry(&mut self) -> Option<Outbound> {
        let hops = std::mem::take(&mut self.outbound.hops);
        if hops.is_empty() { None } else { Some(Outbound { hops, ..self.outbound.clone() }) }
    }

    /// Whether the final response has come.
    pub(crate) fn is_answered(&self) -> bool {
        match self.machine {
            Machine::Invite(
                ClientInvite::Calling { .. } | ClientInvite::Proceeding | ClientInvite::Abandoned,
            ) => false,
            Machine::Other(Client::Trying { .. } | Client::Proceeding) => false,
            Machine::Invite(ClientInvite::Completed | ClientInvite::Accepted | ClientInvite::Terminated) => {
                true
            }
            Machine::Other(Client::Completed | Client::Terminated) => true,
        }
    }
}

/// The client transactions of an endpoint.
#[derive(Debug)]
pub(crate) struct Clients {
    transactions: HashMap<ClientId, ClientTransaction, SeededHasher>,
    keys: HashMap<ClientKey, ClientId, SeededHasher>,
    /// Which transactions a transport error concerns.
    remotes: BTreeSet<(SocketAddr, ClientId)>,
    last_id: u64,
}

impl Clients {
    pub(crate) fn new(hasher: SeededHasher) -> Self {
        Self {
            transactions: HashMap::with_hasher(hasher),
            keys: HashMap::with_hasher(hasher),
            remotes: BTreeSet::new(),
            last_id: 0,
        }
    }

    /// Opens a transaction for a request that is being sent now.
    pub(crate) fn open(
        &mut self,
        schedule: &mut Schedule,
        now: Instant,
        outbound: Outbound,
        sent: Transmit,
    ) -> ClientId {
        self.last_id += 1;
        let id = ClientId(self.last_id);
        let mut armed = Armed::new();
        let step = schedule.step(now, sent.target.transport.is_reliable(), &mut armed);
        let machine = match outbound.request.method {
            Method::Invite => Machine::Invite(ClientInvite::start(step)),
            _ => Machine::Other(Client::start(step)),
        };
        let key =
            ClientKey { branch: outbound.branch.as_str().into(), method: outbound.request.method.clone() };
        let mut registered = None;
        schedule.queue.reschedule(Owner::Client(id), &mut registered, armed.next());
        self.keys.insert(key.clone(), id);
        self.remotes.extend(addresses(&sent).map(|remote| (remote, id)));
        let acks = Vec::new();
        self.transactions
            .insert(id, ClientTransaction { machine, armed, registered, key, outbound, sent, acks });
        id
    }

    pub(crate) fn find(&self, key: &ClientKey) -> Option<ClientId> {
        self.keys.get(key).copied()
    }

    pub(crate) fn transaction(&self, id: ClientId) -> Option<&ClientTransaction> {
        self.transactions.get(&id)
    }

    pub(crate) fn transaction_mut(&mut self, id: ClientId) -> Option<&mut ClientTransaction> {
        self.transactions.get_mut(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Drives the machine; the transaction stays in the table until [`Self::take_terminated`].
    pub(crate) fn step(
        &mut self,
        schedule: &mut Schedule,
        now: Instant,
        id: ClientId,
        input: ClientInput,
    ) -> ClientAction {
        let Some(transaction) = self.transactions.get_mut(&id) else { return ClientAction::Absorb };
        let is_reliable = transaction.sent.target.transport.is_reliable();
        let step = schedule.step(now, is_reliable, &mut transaction.armed);
        let action = match &mut transaction.machine {
            Machine::Invite(machine) => machine.handle(step, input),
            Machine::Other(machine) => machine.handle(step, input),
        };
        let next = transaction.armed.next().filter(|_| !transaction.is_terminated());
        schedule.queue.reschedule(Owner::Client(id), &mut transaction.registered, next);
        action
    }

    /// The next timer of the transaction that has run out.
    pub(crate) fn due(&mut self, schedule: &mut Schedule, now: Instant, id: ClientId) -> Option<ClientInput> {
        let transaction = self.transactions.get_mut(&id)?;
        transaction.registered = None;
        let timer = transaction.armed.pop_due(now);
        schedule.queue.reschedule(Owner::Client(id), &mut transaction.registered, transaction.armed.next());
        timer.map(ClientInput::Timer)
    }

    /// Removes and returns the transaction if its machine has come to its end.
    pub(crate) fn take_terminated(&mut self, id: ClientId) -> Option<ClientTransaction> {
        if !self.transactions.get(&id)?.is_terminated() {
            return None;
        }
        let transaction = self.transactions.remove(&id)?;
        self.keys.remove(&transaction.key);
        for remote in addresses(&transaction.sent) {
            self.remotes.remove(&(remote, id));
        }
        Some(transaction)
    }

    /// Lets an INVITE whose session is over come to its end.
    pub(crate) fn abandon(&mut self, schedule: &mut Schedule, now: Instant, id: ClientId) {
        let Some(transaction) = self.transactions.get_mut(&id) else { return };
        let is_reliable = transaction.sent.target.transport.is_reliable();
        match &mut transaction.machine {
            Machine::Invite(machine) => {
                machine.abandon(schedule.step(now, is_reliable, &mut transaction.armed));
            }
            Machine::Other(_) => {}
        }
        let next = transaction.armed.next();
        schedule.queue.reschedule(Owner::Client(id), &mut transaction.registered, next);
    }

    /// Ends a transaction whatever its state (RFC 3261 9.1: no final response within 64*T1 of a CANCEL).
    pub(crate) fn destroy(&mut self, schedule: &mut Schedule, id: ClientId) -> Option<ClientTransaction> {
        let transaction = self.transactions.get_mut(&id)?;
        transaction.machine = match transaction.machine {
            Machine::Invite(_) => Machine::Invite(ClientInvite::Terminated),
            Machine::Other(_) => Machine::Other(Client::Terminated),
        };
        schedule.queue.reschedule(Owner::Client(id), &mut transaction.registered, None);
        self.take_terminated(id)
    }

    /// The transactions that wait for an answer from this address over this transport.
    pub(crate) fn waiting_on(&self, transport: Transport, remote: SocketAddr) -> Vec<ClientId> {
        let range = (remote, ClientId(0))..=(remote, ClientId(u64::MAX));
        let ids = self.remotes.range(range).map(|&(_, id)| id);
        ids.filter(|id| {
            let transaction = self.transactions.get(id);
            transaction.is_some_and(|t| t.sent.target.transport == transport && !t.is_answered())
        })
        .collect()
    }
}

/// Where a failure of the transport may be reported from.
fn addresses(sent: &Transmit) -> impl Iterator<Item = SocketAddr> {
    [sent.target.remote].into_iter().chain(sent.fallback)
}

/// Branches of one forked INVITE whose 2xx are acknowledged and ended. A proxy forks to the phones of one user.
const MAX_FORKS: usize = 16;
