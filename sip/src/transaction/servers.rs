//! The table of server transactions (RFC 3261 17.2).

use std::collections::HashMap;
use std::time::Instant;

use super::key::{MergeKey, ServerKey};
use super::server::Server;
use super::server_invite::ServerInvite;
use super::{Armed, ServerAction, ServerInput, StatusClass};
use crate::endpoint::reply::ReplyPath;
use crate::endpoint::schedule::{Owner, Schedule};
use crate::endpoint::token::SeededHasher;
use crate::endpoint::{SessionId, Transmit};

/// Names a server transaction. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ServerId(u64);

/// One server transaction.
#[derive(Debug)]
pub(crate) struct ServerTransaction {
    machine: Machine,
    armed: Armed,
    registered: Option<Instant>,
    key: ServerKey,
    merge_key: Option<MergeKey>,
    /// Where its responses go.
    pub(crate) path: ReplyPath,
    /// The last response, for repeats.
    pub(crate) last: Option<Transmit>,
    /// The session it belongs to; none if the request was refused before it could open one.
    pub(crate) session: Option<SessionId>,
    /// The To tag of its responses.
    pub(crate) to_tag: Box<str>,
}

#[derive(Debug)]
enum Machine {
    Invite(ServerInvite),
    Other(Server),
}

/// What a new server transaction starts from.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) key: ServerKey,
    /// Only for an INVITE that opens a dialog.
    pub(crate) merge_key: Option<MergeKey>,
    pub(crate) path: ReplyPath,
    pub(crate) session: Option<SessionId>,
    pub(crate) to_tag: Box<str>,
}

/// The server transactions of an endpoint.
#[derive(Debug)]
pub(crate) struct Servers {
    /// Boxed: a table has more slots than entries, and most entries only wait for their last timer.
    transactions: HashMap<ServerId, Box<ServerTransaction>, SeededHasher>,
    keys: HashMap<ServerKey, ServerId, SeededHasher>,
    merge_keys: HashMap<MergeKey, ServerId, SeededHasher>,
    last_id: u64,
}

impl Servers {
    pub(crate) fn new(hasher: SeededHasher) -> Self {
        Self {
            transactions: HashMap::with_hasher(hasher),
            keys: HashMap::with_hasher(hasher),
            merge_keys: HashMap::with_hasher(hasher),
            last_id: 0,
        }
    }

    /// Opens a transaction for a request that has come.
    pub(crate) fn open(&mut self, opening: Opening) -> ServerId {
        self.last_id += 1;
        let id = ServerId(self.last_id);
        let machine = if opening.key.is_invite() {
            Machine::Invite(ServerInvite::start())
        } else {
            Machine::Other(Server::start())
        };
        self.keys.insert(opening.key.clone(), id);
        if let Some(merge_key) = &opening.merge_key {
            self.merge_keys.insert(merge_key.clone(), id);
        }
        let transaction = ServerTransaction {
            machine,
            armed: Armed::new(),
            registered: None,
            key: opening.key,
            merge_key: opening.merge_key,
            path: opening.path,
            last: None,
            session: opening.session,
            to_tag: opening.to_tag,
        };
        self.transactions.insert(id, Box::new(transaction));
        id
    }

    pub(crate) fn find(&self, key: &ServerKey) -> Option<ServerId> {
        self.keys.get(key).copied()
    }

    /// Whether another branch of the same request is being served.
    pub(crate) fn is_merged(&self, key: &MergeKey) -> bool {
        self.merge_keys.contains_key(key)
    }

    pub(crate) fn transaction(&self, id: ServerId) -> Option<&ServerTransaction> {
        self.transactions.get(&id).map(Box::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Sends a response through the transaction; `None` if its state does not allow it.
    pub(crate) fn respond(
        &mut self,
        schedule: &mut Schedule,
        now: Instant,
        id: ServerId,
        response: (StatusClass, Transmit),
    ) -> Option<Transmit> {
        let (class, transmit) = response;
        match self.step(schedule, now, id, ServerInput::Respond(class)) {
            ServerAction::Send => {
                let transaction = self.transactions.get_mut(&id)?;
                // Repeats of an INVITE answered 2xx are absorbed, so it would only be kept for nothing.
                let is_kept = !transaction.key.is_invite() || class != StatusClass::Success;
                transaction.last = is_kept.then(|| transmit.clone());
                Some(transmit)
            }
            ServerAction::Absorb
            | ServerAction::Resend
            | ServerAction::Acknowledged
            | ServerAction::DeliverAck
            | ServerAction::TimedOut => None,
        }
    }

    /// Drives the machine; the transaction stays in the table until [`Self::take_terminated`].
    pub(crate) fn step(
        &mut self,
        schedule: &mut Schedule,
        now: Instant,
        id: ServerId,
        input: ServerInput,
    ) -> ServerAction {
        let Some(transaction) = self.transactions.get_mut(&id) else { return ServerAction::Absorb };
        let is_reliable = transaction.path.target.transport.is_reliable();
        let step = schedule.step(now, is_reliable, &mut transaction.armed);
        let (action, is_terminated) = match &mut transaction.machine {
            Machine::Invite(machine) => (machine.handle(step, input), *machine == ServerInvite::Terminated),
            Machine::Other(machine) => (machine.handle(step, input), *machine == Server::Terminated),
        };
        let next = transaction.armed.next().filter(|_| !is_terminated);
        schedule.queue.reschedule(Owner::Server(id), &mut transaction.registered, next);
        action
    }

    /// The next timer of the transaction that has run out.
    pub(crate) fn due(&mut self, schedule: &mut Schedule, now: Instant, id: ServerId) -> Option<ServerInput> {
        let transaction = self.transactions.get_mut(&id)?;
        transaction.registered = None;
        let timer = transaction.armed.pop_due(now);
        schedule.queue.reschedule(Owner::Server(id), &mut transaction.registered, transaction.armed.next());
        timer.map(ServerInput::Timer)
    }

    /// Removes and returns the transaction if its machine has come to its end.
    pub(crate) fn take_terminated(&mut self, id: ServerId) -> Option<ServerTransaction> {
        let is_terminated = match self.transactions.get(&id)?.machine {
            Machine::Invite(machine) => machine == ServerInvite::Terminated,
            Machine::Other(machine) => machine == Server::Terminated,
        };
        if !is_terminated {
            return None;
        }
        let transaction = self.transactions.remove(&id)?;
        self.keys.remove(&transaction.key);
        if let Some(merge_key) = &transaction.merge_key {
            self.merge_keys.remove(merge_key);
        }
        self.shrink();
        Some(*transaction)
    }

    /// Gives the memory of a burst back: its tables would stay as large as they ever were.
    fn shrink(&mut self) {
        let len = self.transactions.len();
        if self.transactions.capacity() > SMALL_TABLE.max(len * 8) {
            self.transactions.shrink_to(len * 2);
            self.keys.shrink_to(len * 2);
            self.merge_keys.shrink_to(len * 2);
        }
    }
}

/// Not worth shrinking.
const SMALL_TABLE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Target;
    use crate::endpoint::token::Tokens;
    use crate::message::Method;
    use crate::transport::Transport;

    #[test]
    fn the_tables_of_a_burst_become_small_again() {
        let mut servers = Servers::new(Tokens::new(1).table_hasher());
        let remote = std::net::SocketAddr::from(([127, 0, 0, 1], 5060));
        let target = Target { transport: Transport::Udp, local: None, remote };
        let ids: Vec<ServerId> = (0..10_000)
            .map(|n| {
                let branch = format!("z9hG4bK{n}").into();
                let key = ServerKey::Unique { branch, sent_by: "host".into(), method: Method::Invite };
                let path = ReplyPath { target, fallback: None };
                servers.open(Opening { key, merge_key: None, path, session: None, to_tag: "tag".into() })
            })
            .collect();
        let capacities = |servers: &Servers| (servers.transactions.capacity(), servers.keys.capacity());
        assert!(capacities(&servers).0 >= 10_000);
        for id in &ids[20..] {
            if let Some(transaction) = servers.transactions.get_mut(id) {
                transaction.machine = Machine::Invite(ServerInvite::Terminated);
            }
            assert!(servers.take_terminated(*id).is_some());
        }
        let (transactions, keys) = capacities(&servers);
        assert!(transactions <= SMALL_TABLE && keys <= SMALL_TABLE, "{transactions} and {keys}");
        assert!(ids[..20].iter().all(|id| servers.transaction(*id).is_some()));
    }
}
