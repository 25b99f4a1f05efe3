//! What the shards want from SIP, and the orders of everybody else.

use std::time::{Duration, Instant};

use caly_sip::endpoint::{Body, OutgoingInvite, Reply, SessionId};
use caly_sip::message::{Headers, NameAddr, StatusCode, Uri};

use super::calls::{Leg, Stage};
use super::events::{reply_of, transport_name};
use super::switchboard::{Moment, Switchboard};
use super::{Control, Dial, contact};
use crate::call::cause::HangupCause;
use crate::call::exchange::{
    CallAnswer, CallInput, CallKey, MediaAddress, Offer, OpenCall, Refusal, ShardAnswer, ShardRequest,
};
use crate::call::log::{CallDirection, Opened};

/// A call of ours between the order to place it and its INVITE.
#[derive(Debug)]
pub(super) struct Dialing {
    shard: usize,
    invite: OutgoingInvite,
}

impl Switchboard {
    /// Obeys an order.
    pub fn handle_order(&mut self, moment: Moment, order: Control) {
        let now = moment.now;
        match order {
            Control::Drain => {
                self.is_draining = true;
                self.endpoint.set_accepting(false);
            }
            Control::HangUpAll => {
                for id in self.calls.active_sessions() {
                    self.tell(now, id, CallInput::HangUp { cause: HangupCause::Shutdown });
                }
            }
            Control::Stop => self.stopping = Some(now + LINGER),
            Control::Resolved { id, addresses } => self.handle_resolved(now, id, &addresses),
            Control::Dial(dial) => self.dial(moment, *dial),
        }
    }

    /// Carries out the shards' next answer; false if none waits.
    pub fn handle_answer(&mut self, now: Instant) -> bool {
        let answer = self.links.shards.iter_mut().find_map(|port| port.answers.pop().ok());
        let is_there = answer.is_some();
        if let Some(answer) = answer {
            self.carry_out(now, answer);
        }
        is_there
    }

    fn carry_out(&mut self, now: Instant, answer: ShardAnswer) {
        let ShardAnswer { key, answer } = answer;
        if let Some(at) = self.dialing.iter().position(|(dialing, _)| *dialing == key) {
            let (_, dialing) = self.dialing.swap_remove(at);
            return self.dialed(now, key, dialing, answer);
        }
        // A call that was cancelled meanwhile: the shard has heard of it, its answer means nothing any more.
        let Some(id) = self.calls.session(key) else { return };
        let Some(leg) = self.calls.leg(id) else { return };
        if leg.stage == Stage::Over {
            return;
        }
        let contact = leg.contact.clone();
        let done = match answer {
            CallAnswer::Ring => {
                leg.stage = Stage::Ringing;
                self.endpoint.provisional(now, id, Reply::new(StatusCode::RINGING).with_contact(contact))
            }
            CallAnswer::Accept { sdp: body } => {
                leg.stage = Stage::Answered;
                let done = self.endpoint.accept(now, id, Body::sdp(body), contact);
                if done.is_ok() {
                    self.tell(now, id, CallInput::Accepted);
                }
                done
            }
            CallAnswer::AcceptReoffer { sdp: body } => {
                self.endpoint.accept_reinvite(now, id, Body::sdp(body))
            }
            CallAnswer::RefuseReoffer(refusal) => {
                let reply = reply_of(&refusal, self.local);
                self.endpoint.reject_reinvite(now, id, reply)
            }
            CallAnswer::End { cause, refusal } => return self.end(now, id, cause, &refusal),
            // Only calls that we place make an INVITE, and they do it once.
            CallAnswer::Invite { .. } => Ok(()),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a call's answer came too late");
        }
    }

    fn end(&mut self, now: Instant, id: SessionId, cause: HangupCause, refusal: &Refusal) {
        let Some(stage) = self.calls.leg(id).map(|leg| leg.stage) else { return };
        self.calls.end(id);
        let done = match stage {
            Stage::Offered | Stage::Ringing => return self.refuse(now, id, refusal),
            Stage::Calling => self.endpoint.cancel(now, id),
            Stage::Answered => self.endpoint.bye(now, id, Some(reason_of(cause))),
            Stage::Over => Ok(()),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a call was over before it could be ended");
        }
    }

    fn dial(&mut self, moment: Moment, dial: Dial) {
        let key = self.calls.new_key();
        let shard = self.calls.emptiest_shard();
        let port = self.local.port();
        let transport = dial.transport.unwrap_or(caly_sip::transport::Transport::Udp);
        let ours = contact::contact(std::net::SocketAddr::new(dial.local, port), transport);
        let opened = Opened {
            started_at: moment.wall,
            direction: CallDirection::Outbound,
            trunk: None,
            peer: std::net::SocketAddr::new(dial.local, 0),
            transport: transport_name(transport).to_owned(),
            from: dial.from.redacted().to_string(),
            to: dial.target.redacted().to_string(),
            number: dial.target.subscriber().unwrap_or_default(),
            sip_call_id: String::new(),
            destination: None,
        };
        let open = OpenCall {
            key,
            call: dial.call,
            at: moment.now,
            opened,
            destination: dial.destination,
            offer: Offer::Ours,
            media: MediaAddress { bind: dial.local, advertised: dial.local },
            media_sources: Vec::new(),
            record: dial.record,
            answer_by: None,
        };
        let invite = OutgoingInvite {
            target: dial.target.clone(),
            from: name_addr(dial.from),
            to: name_addr(dial.target),
            contact: ours,
            routes: Vec::new(),
            transport: dial.transport,
            local: Some(std::net::SocketAddr::new(dial.local, port)),
            headers: Headers::new(),
            body: None,
        };
        let Some(ring) = self.links.shards.get_mut(shard) else { return };
        if ring.requests.push(ShardRequest::Open(Box::new(open))).is_ok() {
            self.calls.place(shard);
            self.dialing.push((key, Dialing { shard, invite }));
        }
    }

    /// The shard has made the offer, or could not.
    fn dialed(&mut self, now: Instant, key: CallKey, dialing: Dialing, answer: CallAnswer) {
        let Dialing { shard, mut invite } = dialing;
        let contact = invite.contact.clone();
        let CallAnswer::Invite { sdp: offer } = answer else { return self.calls.unplace(shard) };
        invite.body = Some(Body::sdp(offer));
        match self.endpoint.invite(now, invite) {
            Ok(id) => {
                self.calls.insert(id, Leg { key, shard, stage: Stage::Calling, contact });
            }
            Err(error) => {
                self.calls.unplace(shard);
                let reason = Some(error.to_string());
                let input = CallInput::Ended { cause: HangupCause::Unreachable, status: None, reason };
                if let Some(port) = self.links.shards.get_mut(shard) {
                    // A full inbox leaves the call to its ring timeout.
                    let _ = port.requests.push(ShardRequest::Call { key, at: now, input });
                }
            }
        }
    }

    /// Tells the shards to stop.
    pub fn stop_shards(&mut self) {
        for (shard, port) in self.links.shards.iter_mut().enumerate() {
            if port.requests.push(ShardRequest::Stop).is_err() {
                tracing::error!(shard, "the shard's inbox is full; it cannot be stopped");
            }
        }
    }
}

fn name_addr(uri: Uri) -> NameAddr {
    NameAddr::new(uri)
}

/// The Reason header of our BYE (RFC 3326).
fn reason_of(cause: HangupCause) -> String {
    format!("Q.850;cause={};text=\"{cause}\"", cause.q850())
}

/// How long the last BYEs and their answers are waited for.
const LINGER: Duration = Duration::from_secs(3);
