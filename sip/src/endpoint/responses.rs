//! Responses to our requests: which transaction they belong to, and who hears of them (RFC 3261 8.1.3, 17.1, 18.1.2).

use std::time::Instant;

use super::Endpoint;
use super::event::Failure;
use super::outbound::{Purpose, Repeat};
use super::transmit::Transmit;
use crate::message::{Essentials, HeaderName, Method, Response, StatusCode};
use crate::transaction::follow_up::ack_of_refusal;
use crate::transaction::key::ClientKey;
use crate::transaction::{Answer, ClientAction, ClientId, ClientInput, StatusClass};
use crate::transport::Flow;

impl Endpoint {
    pub(crate) fn receive_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let Ok(essentials) = response.essentials() else {
            self.outputs.counters.malformed += 1;
            return;
        };
        let Some(client) = self.client_of(&response, &essentials) else {
            self.outputs.counters.stray_responses += 1;
            return;
        };
        let session = self.clients.transaction(client).map(|t| t.outbound.purpose.session());
        let class = StatusClass::from(response.status);
        let action = self.clients.step(&mut self.schedule, now, client, ClientInput::from(class));
        match action {
            ClientAction::Deliver if self.is_repeated_answer(client, class, &essentials) => {
                self.trace_response(session, flow, &response, Repeat::Again);
                self.outputs.counters.retransmissions_received += 1;
            }
            ClientAction::Deliver => {
                self.trace_response(session, flow, &response, Repeat::First);
                self.deliver(now, client, response, &essentials);
            }
            ClientAction::DeliverAndAck => {
                self.trace_response(session, flow, &response, Repeat::First);
                self.acknowledge_refusal(client, &response);
                self.deliver(now, client, response, &essentials);
            }
            ClientAction::Ack => {
                self.trace_response(session, flow, &response, Repeat::Again);
                self.outputs.counters.retransmissions_received += 1;
                self.repeat_ack(client, REFUSAL);
            }
            ClientAction::Absorb => {
                self.trace_response(session, flow, &response, Repeat::Again);
                self.outputs.counters.retransmissions_received += 1;
            }
            ClientAction::Retransmit | ClientAction::TimedOut | ClientAction::TransportFailed => {}
        }
        self.clients.take_terminated(client);
    }

    /// RFC 3261 17.1.3, 8.1.3.3 (one Via only) and 18.1.2 (our sent-by).
    fn client_of(&self, response: &Response, essentials: &Essentials) -> Option<ClientId> {
        if response.headers.elements(&HeaderName::Via).count() != 1 {
            return None;
        }
        let branch = essentials.via.branch()?.into();
        let client = self.clients.find(&ClientKey { branch, method: essentials.cseq.method.clone() })?;
        self.clients.transaction(client).filter(|t| t.outbound.sent_by.is_in(&essentials.via)).map(|_| client)
    }

    /// Notes the 2xx of an INVITE by its To tag; a repeated one gets its ACK again.
    fn is_repeated_answer(&mut self, client: ClientId, class: StatusClass, essentials: &Essentials) -> bool {
        if class != StatusClass::Success || essentials.cseq.method != Method::Invite {
            return false;
        }
        let tag = essentials.to.tag().unwrap_or_default();
        let Some(transaction) = self.clients.transaction_mut(client) else { return true };
        match transaction.note_answer(tag) {
            Answer::First => false,
            Answer::Repeated => {
                self.repeat_ack(client, tag);
                true
            }
            Answer::TooMany => {
                self.outputs.counters.dropped_by_limit += 1;
                true
            }
        }
    }

    fn deliver(&mut self, now: Instant, client: ClientId, response: Response, essentials: &Essentials) {
        let Some(transaction) = self.clients.transaction(client) else { return };
        match (transaction.outbound.purpose.clone(), StatusClass::from(response.status)) {
            (Purpose::Invite(id), StatusClass::Provisional) => self.call_progresses(now, id, response),
            (Purpose::Invite(id), StatusClass::Success) => {
                self.call_answered(now, (id, client), response, essentials);
            }
            (Purpose::Reinvite(id), StatusClass::Success) => {
                self.reinvite_answered(now, (id, client), response, essentials);
            }
            (Purpose::Invite(_) | Purpose::Reinvite(_), StatusClass::Failure) => {
                self.failed(now, client, Failure::Response(response));
            }
            (Purpose::Bye(id), StatusClass::Success | StatusClass::Failure) => self.bye_is_over(id),
            (Purpose::Reinvite(_) | Purpose::Bye(_), StatusClass::Provisional)
            | (Purpose::Cancel(_) | Purpose::StrayBye(_) | Purpose::Ack { .. }, _) => {}
        }
    }

    /// A transaction of ours failed: the next address is tried if there is one (RFC 3263 4.3), else its purpose fails.
    pub(crate) fn failed(&mut self, now: Instant, client: ClientId, failure: Failure) {
        let Some(transaction) = self.clients.transaction_mut(client) else { return };
        let purpose = transaction.outbound.purpose.clone();
        let retry = transaction.take_retry();
        let is_retryable = match &failure {
            Failure::Response(response) => response.status == StatusCode::SERVICE_UNAVAILABLE,
            Failure::Timeout | Failure::Transport => true,
            Failure::Unresolved | Failure::Cancelled => false,
        };
        match &failure {
            Failure::Timeout => self.outputs.counters.timeouts += 1,
            Failure::Transport => self.outputs.counters.transport_errors += 1,
            Failure::Response(_) | Failure::Unresolved | Failure::Cancelled => {}
        }
        let is_sent_again = match retry {
            Some(outbound) if is_retryable && self.is_wanted(&purpose) => {
                self.fail_over(now, outbound, &failure)
            }
            Some(_) | None => false,
        };
        if !is_sent_again {
            self.unreachable(now, purpose, failure);
        }
    }

    /// A request has come to nothing.
    pub(crate) fn unreachable(&mut self, now: Instant, purpose: Purpose, failure: Failure) {
        match purpose {
            Purpose::Invite(id) => self.call_failed(id, failure),
            Purpose::Reinvite(id) => self.reinvite_failed(now, id, &failure),
            Purpose::Bye(id) => self.bye_is_over(id),
            Purpose::Cancel(_) | Purpose::StrayBye(_) | Purpose::Ack { .. } => {}
        }
    }

    /// The ACK of a response of 300 or above; repeats of the response get the same.
    fn acknowledge_refusal(&mut self, client: ClientId, response: &Response) {
        let Some(transaction) = self.clients.transaction_mut(client) else { return };
        let ack = ack_of_refusal(&transaction.outbound.request, response);
        let transmit = Transmit { bytes: ack.to_bytes().into(), ..transaction.sent.clone() };
        transaction.note_answer(REFUSAL);
        transaction.keep_ack(REFUSAL, transmit.clone());
        self.send(transmit, Repeat::First);
    }

    pub(crate) fn repeat_ack(&mut self, client: ClientId, tag: &str) {
        let ack = self.clients.transaction(client).and_then(|t| t.ack(tag)).cloned();
        if let Some(transmit) = ack {
            self.send(transmit, Repeat::Again);
        }
    }
}

/// Under what the ACK of a refusal is kept; no transaction has both a refusal and a 2xx.
const REFUSAL: &str = "";
