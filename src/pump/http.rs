//! One HTTP exchange (RFC 9110) over HTTP/1.1: the body is told part by part as it comes.

use std::time::Duration;

use caly_provider::link::{
    HttpRequest, LinkEnd, LinkEvent, LinkFailure, MAX_REFUSAL_BYTES, Message, Method, RefusedStatus,
    ResponseHead,
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use tokio::time::timeout;

use super::connect::connect;
use super::link::Teller;
use super::pool::HttpConnection;
use super::target::{HTTP, Origin, Target};
use super::{Pump, count, failure};

/// Runs to the end of the body.
pub(super) async fn exchange(pump: &Pump, request: HttpRequest, teller: &Teller) -> LinkEnd {
    match carry(pump, request, teller).await {
        Ok(()) => LinkEnd::Complete,
        Err(failure) => LinkEnd::Failed(failure),
    }
}

async fn carry(pump: &Pump, request: HttpRequest, teller: &Teller) -> Result<(), LinkFailure> {
    let target = Target::parse(&request.endpoint.url, &HTTP)?;
    let headers = target.headers(&request.endpoint)?;
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    let message = message(method, &target, headers, request.body)?;
    let (mut connection, response) = ask(pump, &target.origin, message).await?;
    let (head, mut body) = response.into_parts();
    if !head.status.is_success() {
        let (refusal, is_whole) = refused(&mut connection, head.status, &head.headers, &mut body).await;
        if is_whole {
            pump.shared.pool.keep(target.origin, connection).await;
        }
        return Err(LinkFailure::Status(Box::new(refusal)));
    }
    teller.tell(LinkEvent::Opened(response_head(&head.headers))).await;
    while let Some(frame) = connection.drive(body.frame()).await {
        let frame = frame.map_err(|error| failure::of_http(&error))?;
        if let Ok(part) = frame.into_data() {
            teller.tell(LinkEvent::Received(Message::Binary(part.into()))).await;
        }
    }
    pump.shared.pool.keep(target.origin, connection).await;
    Ok(())
}

/// A request as it goes out.
pub(super) fn message(
    method: hyper::Method,
    target: &Target,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, LinkFailure> {
    let mut message = Request::new(Full::new(Bytes::from(body)));
    *message.method_mut() = method;
    *message.headers_mut() = headers;
    *message.uri_mut() = target
        .path
        .parse()
        .map_err(|_| LinkFailure::Connect("the URL's path has characters that it may not have".to_owned()))?;
    Ok(message)
}

/// Over a connection that is left from earlier if there is one. If that was closed just now and the request has not left, over another.
async fn ask(
    pump: &Pump,
    origin: &Origin,
    mut message: Request<Full<Bytes>>,
) -> Result<(HttpConnection, Response<Incoming>), LinkFailure> {
    while let Some(mut connection) = pump.shared.pool.take(origin).await {
        match connection.ask(message).await {
            Ok(response) => {
                count(&pump.shared.counters.reused);
                return Ok((connection, response));
            }
            Err(mut error) => match error.take_message() {
                Some(unsent) => message = unsent,
                None => return Err(failure::of_http(error.error())),
            },
        }
    }
    let mut connection = HttpConnection::begin(connect(pump, origin).await?).await?;
    match connection.ask(message).await {
        Ok(response) => Ok((connection, response)),
        Err(error) => Err(failure::of_http(error.error())),
    }
}

/// What a server says that does not do what was asked, and whether that was all it said.
pub(super) async fn refused(
    connection: &mut HttpConnection,
    status: StatusCode,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> (RefusedStatus, bool) {
    let mut beginning = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = connection.drive(body.frame()).await {
            if let Ok(part) = frame.into_data() {
                let room = MAX_REFUSAL_BYTES - beginning.len();
                beginning.extend_from_slice(&part[..part.len().min(room)]);
                if part.len() > room {
                    return false;
                }
            }
        }
        true
    };
    // Its status says enough to go on with.
    let is_whole = timeout(MAX_REFUSAL_TIME, read).await.unwrap_or(false);
    let retry_after = text(headers, RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
    let refusal = RefusedStatus {
        status: status.as_u16(),
        retry_after: retry_after.map(Duration::from_secs),
        body: beginning_of(&beginning),
        request_id: request_id(headers),
    };
    (refusal, is_whole)
}

/// Of a response's head what clients use.
pub(super) fn response_head(headers: &HeaderMap) -> ResponseHead {
    let content_type = text(headers, CONTENT_TYPE.as_str());
    let without_parameters = |whole: String| {
        whole.split(';').next().map(|beginning| beginning.trim().to_ascii_lowercase()).unwrap_or_default()
    };
    ResponseHead { request_id: request_id(headers), content_type: content_type.map(without_parameters) }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    REQUEST_IDS.iter().find_map(|name| text(headers, name))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name).map(HeaderValue::to_str)?;
    value.ok().map(|value| value.trim().to_owned())
}

/// Without the character that the limit has cut in two: lossy decoding would make it longer than the limit.
fn beginning_of(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let mut end = text.len().min(MAX_REFUSAL_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Where vendors name a request; the name that a network before them gave it comes last.
const REQUEST_IDS: [&str; 4] = ["x-request-id", "request-id", "dg-request-id", "cf-ray"];

/// How long the body of a refusal is waited for.
const MAX_REFUSAL_TIME: Duration = Duration::from_secs(1);
