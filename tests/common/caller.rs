//! The caller's side of one dialog: writes its requests. Sending, waiting and repeating is the test's business.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::sip_text::SipText;
use super::sipp::Transport;

/// One dialog as its caller sees it.
pub(crate) struct Caller {
    user: String,
    server: SocketAddr,
    local: SocketAddr,
    transport: Transport,
    /// User part of its From.
    from: String,
    id: String,
    cseq: u32,
    requests: u32,
}

impl Caller {
    /// A new Call-ID for a call to `user` at `server`, as seen from the socket `local`.
    pub(crate) fn new(user: &str, server: SocketAddr, local: SocketAddr, transport: Transport) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:x}-{number:x}", std::process::id());
        let from = "caller".to_owned();
        Self { user: user.to_owned(), server, local, transport, from, id, cseq: 0, requests: 0 }
    }

    /// The same from this number.
    pub(crate) fn with_number(self, number: &str) -> Self {
        Self { from: number.to_owned(), ..self }
    }

    /// The Call-ID.
    pub(crate) fn call_id(&self) -> String {
        format!("{}@caller.example.org", self.id)
    }

    /// INVITE with an offer; the next one is a re-INVITE's number but has no To tag.
    pub(crate) fn invite(&mut self, offer: &str) -> String {
        self.cseq += 1;
        self.request("INVITE", "", SDP_HEADER, offer)
    }

    /// INVITE inside the dialog that `answer` made.
    pub(crate) fn reinvite(&mut self, answer: &SipText, offer: &str) -> String {
        self.cseq += 1;
        self.request("INVITE", &to_tag(answer), SDP_HEADER, offer)
    }

    /// ACK of a 2xx.
    pub(crate) fn ack(&mut self, answer: &SipText) -> String {
        self.request("ACK", &to_tag(answer), "", "")
    }

    /// ACK of a 3xx-6xx: same branch as the INVITE, which must have been the last request but for a CANCEL.
    pub(crate) fn ack_refusal(&mut self, refusal: &SipText, invite: &str) -> String {
        let ack = self.request("ACK", &to_tag(refusal), "", "");
        with_branch_of(&ack, invite)
    }

    /// CANCEL of `invite`.
    pub(crate) fn cancel(&mut self, invite: &str) -> String {
        let cancel = self.request("CANCEL", "", "", "");
        with_branch_of(&cancel, invite)
    }

    /// BYE.
    pub(crate) fn bye(&mut self, answer: &SipText) -> String {
        self.cseq += 1;
        self.request("BYE", &to_tag(answer), "", "")
    }

    /// OPTIONS outside the dialog's state: it has its own number space only as far as CSeq goes.
    pub(crate) fn options(&mut self) -> String {
        self.cseq += 1;
        self.request("OPTIONS", "", "Accept: application/sdp\r\n", "")
    }

    /// Any request; `headers` are whole lines.
    pub(crate) fn request(&mut self, method: &str, to_parameters: &str, headers: &str, body: &str) -> String {
        self.requests += 1;
        let call_id = self.call_id();
        let Self { user, server, local, from, id, cseq, requests, .. } = self;
        let transport = if self.transport == Transport::Udp { "UDP" } else { "TCP" };
        format!(
            "{method} sip:{user}@{server} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};rport;branch=z9hG4bK-{id}-{requests}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{from}@example.org>;tag=c{id}\r\n\
             To: <sip:{user}@{server}>{to_parameters}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:caller@{local};transport={lower}>\r\n\
             {headers}Content-Length: {length}\r\n\r\n{body}",
            lower = transport.to_lowercase(),
            length = body.len(),
        )
    }
}

/// An offer of PCMU, PCMA and telephone-event with RTP at `rtp`.
pub(crate) fn offer(rtp: SocketAddr) -> String {
    let (address, port) = (rtp.ip(), rtp.port());
    format!(
        "v=0\r\no=caller 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
    )
}

/// The same offer again in its `version`, with a direction.
pub(crate) fn offer_again(rtp: SocketAddr, version: u32, direction: &str) -> String {
    let first = offer(rtp);
    first.replacen("o=caller 1 1 ", &format!("o=caller 1 {version} "), 1) + &format!("a={direction}\r\n")
}

fn to_tag(response: &SipText) -> String {
    let to = response.header("To");
    let tag = to.split(';').find(|part| part.trim_start().starts_with("tag="));
    format!(";{}", tag.unwrap_or_else(|| panic!("no To tag in:\n{}", response.as_str())))
}

fn with_branch_of(request: &str, other: &str) -> String {
    let via = |text: &str| text.lines().find(|line| line.starts_with("Via:")).unwrap_or("").to_owned();
    request.replacen(&via(request), &via(other), 1)
}

const SDP_HEADER: &str = "Content-Type: application/sdp\r\n";
