//! One call from a raw UDP socket, with its RTP: for tests that look at what becomes of calls.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::caller::{Caller, offer, offer_again};
use super::rtp_line::RtpLine;
use super::rtp_peer::RtpArrived;
use super::sip_text::SipText;
use super::sipp::Transport;
use super::socket::UdpPeer;

/// A call that was answered.
pub(crate) struct RawCall {
    sip: UdpPeer,
    caller: Caller,
    answer: SipText,
    rtp: RtpLine,
    offers: u32,
}

/// An INVITE that was refused.
pub(crate) struct RawRefusal {
    /// The final response.
    pub(crate) response: SipText,
    /// Its Call-ID.
    pub(crate) call_id: String,
}

impl RawCall {
    /// Calls `user` and acknowledges the 200; no RTP is sent yet.
    #[track_caller]
    pub(crate) fn place(server: SocketAddr, user: &str) -> Self {
        Self::try_place(server, user).unwrap_or_else(|refusal| panic!("{}", refusal.as_str()))
    }

    /// The same, or the refusal.
    #[track_caller]
    pub(crate) fn try_place(server: SocketAddr, user: &str) -> Result<Self, SipText> {
        Self::try_place_from("caller", server, user)
    }

    /// From a number.
    #[track_caller]
    pub(crate) fn place_from(number: &str, server: SocketAddr, user: &str) -> Self {
        Self::try_place_from(number, server, user).unwrap_or_else(|refusal| panic!("{}", refusal.as_str()))
    }

    #[track_caller]
    fn try_place_from(number: &str, server: SocketAddr, user: &str) -> Result<Self, SipText> {
        let sip = UdpPeer::new(server);
        let rtp = RtpLine::new();
        let mut caller = Caller::new(user, server, sip.local(), Transport::Udp).with_number(number);
        let invite = caller.invite(&offer(rtp.local()));
        sip.send(&invite);
        let answer = sip.expect("a final response", |text| text.status() >= 200).text();
        if answer.status() != 200 {
            sip.send(caller.ack_refusal(&answer, &invite));
            return Err(answer);
        }
        sip.send(caller.ack(&answer));
        Ok(Self { sip, caller, answer, rtp, offers: 1 })
    }

    /// Calls `user` and sends a tone.
    #[track_caller]
    pub(crate) fn speaking(server: SocketAddr, user: &str, frequency_hz: f64) -> Self {
        let mut call = Self::place(server, user);
        call.speak(frequency_hz);
        call
    }

    /// Calls `user`, who is expected to refuse.
    #[track_caller]
    pub(crate) fn refused(server: SocketAddr, user: &str) -> RawRefusal {
        let sip = UdpPeer::new(server);
        let mut caller = Caller::new(user, server, sip.local(), Transport::Udp);
        let invite = caller.invite(&offer(RtpLine::new().local()));
        sip.send(&invite);
        let response = sip.expect("a final response", |text| text.status() >= 200).text();
        assert!(response.status() >= 300, "{}", response.as_str());
        sip.send(caller.ack_refusal(&response, &invite));
        RawRefusal { response, call_id: caller.call_id() }
    }

    /// Begins to send a tone.
    pub(crate) fn speak(&mut self, frequency_hz: f64) {
        self.rtp.start(self.answer.rtp_address(), frequency_hz);
    }

    /// Begins to say this, again and again.
    pub(crate) fn say(&mut self, audio: &[f64]) {
        self.rtp.play(self.answer.rtp_address(), audio);
    }

    /// Begins to say what is said to what comes, 20 ms of µ-law at a time.
    pub(crate) fn converse(&mut self, say: impl FnMut(&[RtpArrived]) -> Vec<u8> + Send + 'static) {
        self.rtp.converse(self.answer.rtp_address(), say);
    }

    /// Whether the server has ended the call since this was asked last; its BYE is answered.
    pub(crate) fn answers_bye(&self) -> bool {
        while let Some(arrived) = self.sip.receive(Duration::ZERO) {
            let text = arrived.text();
            if text.start_line().starts_with("BYE ") {
                self.sip.send(ok_to(&text));
                return true;
            }
        }
        false
    }

    /// Ends the tone and tells what was heard; the call stays up.
    pub(crate) fn fall_silent(&mut self) -> Vec<RtpArrived> {
        self.rtp.stop()
    }

    /// The Call-ID.
    pub(crate) fn call_id(&self) -> String {
        self.caller.call_id()
    }

    /// Where the server takes the call's RTP.
    pub(crate) fn remote_rtp(&self) -> SocketAddr {
        self.answer.rtp_address()
    }

    /// Our end of the call's RTP.
    pub(crate) fn rtp(&self) -> &RtpLine {
        &self.rtp
    }

    /// Sends a re-INVITE that asks for `direction` and returns its answer.
    #[track_caller]
    pub(crate) fn reoffer(&mut self, direction: &str) -> SipText {
        self.offers += 1;
        let offer = offer_again(self.rtp.local(), self.offers, direction);
        self.sip.send(self.caller.reinvite(&self.answer, &offer));
        let cseq = format!("{} INVITE", self.offers);
        let is_ours = |text: &SipText| text.status() >= 200 && text.header("CSeq") == cseq;
        let answer = self.sip.expect("the answer to a re-INVITE", is_ours).text();
        assert_eq!(answer.status(), 200, "{}", answer.as_str());
        self.sip.send(self.caller.ack(&answer));
        answer
    }

    /// True if no request of the server's comes for so long.
    pub(crate) fn is_left_alone_for(&self, duration: Duration) -> bool {
        let end = Instant::now() + duration;
        while let Some(arrived) = self.sip.receive(end.saturating_duration_since(Instant::now())) {
            if arrived.text().status() == 0 {
                return false;
            }
        }
        true
    }

    /// Waits for the server's BYE and answers it; returns it.
    #[track_caller]
    pub(crate) fn expect_bye(&self) -> SipText {
        let bye = self.unanswered_bye();
        self.sip.send(ok_to(&bye));
        bye
    }

    /// Waits for the server's BYE and leaves it without an answer.
    #[track_caller]
    pub(crate) fn unanswered_bye(&self) -> SipText {
        let bye = self.sip.expect("a BYE", |text| text.start_line().starts_with("BYE ")).text();
        assert_eq!(bye.header("Call-ID"), self.call_id());
        bye
    }

    /// Ends the call from our side and tells what was heard; the tone must have been begun.
    #[track_caller]
    pub(crate) fn hang_up(mut self) -> Vec<RtpArrived> {
        self.sip.send(self.caller.bye(&self.answer));
        let is_ours = |text: &SipText| text.status() == 200 && text.header("CSeq").ends_with("BYE");
        self.sip.expect("the 200 to BYE", is_ours);
        self.rtp.stop()
    }

    /// What was heard in a call that the server has ended.
    pub(crate) fn heard(mut self) -> Vec<RtpArrived> {
        self.rtp.stop()
    }
}

/// 200 to a request of the server's.
pub(crate) fn ok_to(request: &SipText) -> String {
    let mut response = "SIP/2.0 200 OK\r\n".to_owned();
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        for value in request.values(name) {
            response.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    response.push_str("Content-Length: 0\r\n\r\n");
    response
}
