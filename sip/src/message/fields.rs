//! The header fields that signalling reads (RFC 3261 20), as values instead of text.

use super::content::MediaType;
use super::cseq::CSeq;
use super::error::{HeaderError, Syntax};
use super::header::Headers;
use super::header_name::HeaderName;
use super::method::Method;
use super::name_addr::NameAddr;
use super::reason::Reason;
use super::scan::{digits, saturating_digits};
use super::via::Via;

/// The fields without which no message can be handled (RFC 3261 8.1.1), but for Max-Forwards, which old peers leave
/// out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Essentials {
    /// The topmost Via.
    pub via: Via,
    /// Who sent the request.
    pub from: NameAddr,
    /// Whom the request is for.
    pub to: NameAddr,
    /// The Call-ID.
    pub call_id: String,
    /// The sequence number and method.
    pub cseq: CSeq,
}

impl Headers {
    /// Reads the fields that every message needs.
    ///
    /// # Errors
    /// The first of them that is missing, repeated or broken.
    pub fn essentials(&self) -> Result<Essentials, HeaderError> {
        Ok(Essentials {
            via: self.via()?,
            from: self.party(&HeaderName::From)?,
            to: self.party(&HeaderName::To)?,
            call_id: self.call_id()?.to_owned(),
            cseq: self.only(&HeaderName::CSeq)?.parse().map_err(HeaderError::malformed(&HeaderName::CSeq))?,
        })
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn via(&self) -> Result<Via, HeaderError> {
        let via = self.elements(&HeaderName::Via).next().ok_or(HeaderError::Missing(HeaderName::Via))?;
        via.parse().map_err(HeaderError::malformed(&HeaderName::Via))
    }

    /// The topmost Via of whatever SIP version: where the answer to a broken request goes.
    pub(crate) fn via_of_any_version(&self) -> Option<Via> {
        let via = self.elements(&HeaderName::Via).next()?;
        Via::parse_any_version(via).ok().map(|(_, via)| via)
    }

    /// Replaces the topmost Via, as a server does that fills in `received` and `rport`. All others stay as they are.
    pub fn set_via(&mut self, via: &Via) {
        self.replace_first_element(&HeaderName::Via, &via.to_string());
    }

    /// Contact; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or if there is more than one or a `*`: a dialog has one remote target.
    pub fn contact(&self) -> Result<Option<NameAddr>, HeaderError> {
        let mut contacts = self.addresses(&HeaderName::Contact)?;
        let contact = contacts.pop();
        if contacts.is_empty() { Ok(contact) } else { Err(HeaderError::Repeated(HeaderName::Contact)) }
    }

    /// Record-Route, in the order of the message.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(&HeaderName::RecordRoute, NameAddr::parse_route)
    }

    /// Route, in the order of the message.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(&HeaderName::Route, NameAddr::parse_route)
    }

    /// All addresses of a field: Contact, P-Asserted-Identity, Diversion, Refer-To and their like.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn addresses(&self, name: &HeaderName) -> Result<Vec<NameAddr>, HeaderError> {
        self.list(name, str::parse)
    }

    /// Whether an option tag is in the list (RFC 3261 19.2): Supported, Require, Proxy-Require, Unsupported.
    pub fn has_option(&self, name: &HeaderName, tag: &str) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(tag))
    }

    /// The methods of Allow; what is no token is left out.
    pub fn allow(&self) -> impl Iterator<Item = Method> {
        self.elements(&HeaderName::Allow).filter_map(Method::from_token)
    }

    /// The media type of the body; `None` if nobody says.
    ///
    /// # Errors
    /// If it cannot be read, or two different ones are named.
    pub fn content_type(&self) -> Result<Option<MediaType>, HeaderError> {
        let name = HeaderName::ContentType;
        let Some(first) = self.first(&name) else { return Ok(None) };
        if self.all(&name).any(|other| !other.eq_ignore_ascii_case(first)) {
            return Err(HeaderError::Repeated(name));
        }
        first.parse().map(Some).map_err(HeaderError::malformed(&name))
    }

    /// Whether a body of this type may be answered (RFC 3261 20.1): Accept names it, names a range around it, or is
    /// absent, which means `application/sdp`.
    pub fn accepts(&self, wanted: &MediaType) -> bool {
        if !self.contains(&HeaderName::Accept) {
            return wanted.is("application", "sdp");
        }
        self.elements(&HeaderName::Accept)
            .filter_map(|range| range.parse::<MediaType>().ok())
            .any(|range| range.includes(wanted))
    }

    /// The length of the body. Equal repetitions are one.
    ///
    /// # Errors
    /// If it is no number, or two different ones are named.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        let name = &HeaderName::ContentLength;
        let mut length = None;
        for value in self.all(name) {
            let value: usize = digits(value).ok_or(Syntax::Number).map_err(HeaderError::malformed(name))?;
            if length.is_some_and(|length| length != value) {
                return Err(HeaderError::Repeated(name.clone()));
            }
            length = Some(value);
        }
        Ok(length)
    }

    /// Max-Forwards; `None` if it is absent, as in RFC 2543.
    ///
    /// # Errors
    /// If it is no number from 0 to 255, or repeated.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        let name = HeaderName::MaxForwards;
        if !self.contains(&name) {
            return Ok(None);
        }
        let hops = digits(self.only(&name)?).ok_or(Syntax::Number).map_err(HeaderError::malformed(&name))?;
        Ok(Some(hops))
    }

    /// A field that holds seconds, whatever comes behind them: Expires, Retry-After, Session-Expires, Min-SE. What
    /// exceeds 32 bits is the largest number; what is no number is `None`, as if absent (RFC 3261 20.19).
    pub fn seconds(&self, name: &HeaderName) -> Option<u32> {
        let value = self.first(name)?;
        let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        saturating_digits(value.get(..end)?)
    }

    /// The reasons of RFC 3326; what cannot be read is left out.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.elements(&HeaderName::Reason).filter_map(|reason| reason.parse().ok())
    }

    fn party(&self, name: &HeaderName) -> Result<NameAddr, HeaderError> {
        let malformed = HeaderError::malformed(name);
        let address: NameAddr = self.only(name)?.parse().map_err(&malformed)?;
        let is_broken = address.tag().is_some_and(|tag| tag.contains('\u{fffd}'));
        if is_broken { Err(malformed(Syntax::Utf8)) } else { Ok(address) }
    }

    fn call_id(&self) -> Result<&str, HeaderError> {
        let name = &HeaderName::CallId;
        let call_id = self.only(name)?;
        let syntax = match call_id {
            "" => Syntax::Empty,
            _ if call_id.contains('\u{fffd}') => Syntax::Utf8,
            _ if call_id.bytes().any(|byte| byte <= b' ' || byte == 0x7f) => Syntax::Token,
            _ => return Ok(call_id),
        };
        Err(HeaderError::malformed(name)(syntax))
    }

    /// The value of a field that must be there once.
    fn only(&self, name: &HeaderName) -> Result<&str, HeaderError> {
        let mut lines = self.iter().filter(|header| header.name == *name);
        let line = lines.next().ok_or_else(|| HeaderError::Missing(name.clone()))?;
        if lines.next().is_some() { Err(HeaderError::Repeated(name.clone())) } else { Ok(&line.value) }
    }

    fn list(
        &self,
        name: &HeaderName,
        parse: fn(&str) -> Result<NameAddr, Syntax>,
    ) -> Result<Vec<NameAddr>, HeaderError> {
        let malformed = HeaderError::malformed(name);
        let mut addresses = Vec::new();
        for element in self.elements(name) {
            if addresses.len() == MAX_ADDRESSES {
                return Err(malformed(Syntax::TooMany));
            }
            addresses.push(parse(element).map_err(&malformed)?);
        }
        Ok(addresses)
    }
}

/// Addresses in one field. Calls pass a handful of proxies; 70 hops are all that Max-Forwards allows.
const MAX_ADDRESSES: usize = 70;
