//! The four machines, transition by transition (RFC 3261 figures 5 to 8 with RFC 6026).

use std::fmt::Debug;
use std::time::{Duration, Instant};

use super::client::Client;
use super::client_invite::ClientInvite;
use super::server::Server;
use super::server_invite::ServerInvite;
use super::{Armed, ClientInput, ServerInput, StatusClass, Step, Timer, Timers};

const T1: Duration = Duration::from_millis(500);

/// The next state, the action, and which timers were set to how many milliseconds.
fn outcome<M: Debug, A: Debug>(
    is_reliable: bool,
    mut machine: M,
    handle: impl FnOnce(&mut M, Step<'_>) -> A,
) -> String {
    let (now, values) = (Instant::now(), Timers::default());
    let mut armed = Armed::new();
    let action = handle(&mut machine, Step { now, values: &values, is_reliable, armed: &mut armed });
    let mut text = format!("{} {action:?}", name(&machine));
    let end = now + Duration::from_secs(100);
    while let Some(at) = armed.next() {
        let timer = armed.pop_due(end).unwrap();
        text += &format!(" {timer:?}={}", (at - now).as_millis());
    }
    text
}

/// The variant's name without its fields.
fn name(machine: &impl Debug) -> String {
    format!("{machine:?}").split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn invite_client() {
    use ClientInput::{Failure, Provisional, Success, TransportError};
    let calling = ClientInvite::Calling { interval: T1 };
    let timer = ClientInput::Timer;
    for (state, input, expected) in [
        (calling, timer(Timer::A), "Calling Retransmit A=1000"),
        (calling, timer(Timer::B), "Terminated TimedOut"),
        (calling, Provisional, "Proceeding Deliver"),
        (calling, Success, "Accepted Deliver M=32000"),
        (calling, Failure, "Completed DeliverAndAck D=32000"),
        (calling, TransportError, "Terminated TransportFailed"),
        (ClientInvite::Proceeding, Provisional, "Proceeding Deliver"),
        (ClientInvite::Proceeding, Success, "Accepted Deliver M=32000"),
        (ClientInvite::Proceeding, Failure, "Completed DeliverAndAck D=32000"),
        (ClientInvite::Proceeding, TransportError, "Proceeding Absorb"),
        (ClientInvite::Abandoned, Provisional, "Abandoned Absorb"),
        (ClientInvite::Abandoned, Success, "Accepted Deliver M=32000"),
        (ClientInvite::Abandoned, Failure, "Completed DeliverAndAck D=32000"),
        (ClientInvite::Abandoned, timer(Timer::B), "Terminated TimedOut"),
        (ClientInvite::Abandoned, TransportError, "Abandoned Absorb"),
        (ClientInvite::Completed, Failure, "Completed Ack"),
        (ClientInvite::Completed, Provisional, "Completed Absorb"),
        (ClientInvite::Completed, Success, "Completed Absorb"),
        (ClientInvite::Completed, timer(Timer::D), "Terminated Absorb"),
        (ClientInvite::Completed, TransportError, "Terminated Absorb"),
        (ClientInvite::Accepted, Success, "Accepted Deliver"),
        (ClientInvite::Accepted, Provisional, "Accepted Absorb"),
        (ClientInvite::Accepted, Failure, "Accepted Absorb"),
        (ClientInvite::Accepted, timer(Timer::M), "Terminated Absorb"),
        (ClientInvite::Accepted, TransportError, "Accepted Absorb"),
        (ClientInvite::Terminated, Success, "Terminated Absorb"),
    ] {
        let got = outcome(false, state, |m, step| m.handle(step, input));
        assert_eq!(got, expected, "{state:?} {input:?}");
    }
    let reliable = outcome(true, calling, |m, step| m.handle(step, Failure));
    assert_eq!(reliable, "Terminated DeliverAndAck", "timer D is zero");
    assert_eq!(outcome(false, calling, |m, step| m.abandon(step)), "Abandoned () B=32000");
    assert_eq!(outcome(false, ClientInvite::Accepted, |m, step| m.abandon(step)), "Accepted ()");
    assert_eq!(
        outcome(false, (), |(), step| ClientInvite::start(step)),
        "() Calling { interval: 500ms } A=500 B=32000"
    );
    assert_eq!(
        outcome(true, (), |(), step| ClientInvite::start(step)),
        "() Calling { interval: 500ms } B=32000"
    );
}

#[test]
fn non_invite_client() {
    use ClientInput::{Failure, Provisional, Success, TransportError};
    let trying = Client::Trying { interval: T1 };
    let timer = ClientInput::Timer;
    for (state, input, expected) in [
        (trying, timer(Timer::E), "Trying Retransmit E=1000"),
        (Client::Trying { interval: 6 * T1 }, timer(Timer::E), "Trying Retransmit E=4000"),
        (trying, timer(Timer::F), "Terminated TimedOut"),
        (trying, Provisional, "Proceeding Deliver"),
        (trying, Success, "Completed Deliver K=5000"),
        (trying, Failure, "Completed Deliver K=5000"),
        (trying, TransportError, "Terminated TransportFailed"),
        (Client::Proceeding, timer(Timer::E), "Proceeding Retransmit E=4000"),
        (Client::Proceeding, timer(Timer::F), "Terminated TimedOut"),
        (Client::Proceeding, Provisional, "Proceeding Deliver"),
        (Client::Proceeding, Failure, "Completed Deliver K=5000"),
        (Client::Proceeding, TransportError, "Terminated TransportFailed"),
        (Client::Completed, Success, "Completed Absorb"),
        (Client::Completed, timer(Timer::K), "Terminated Absorb"),
        (Client::Completed, TransportError, "Completed Absorb"),
        (Client::Terminated, Failure, "Terminated Absorb"),
    ] {
        let got = outcome(false, state, |m, step| m.handle(step, input));
        assert_eq!(got, expected, "{state:?} {input:?}");
    }
    let reliable = outcome(true, trying, |m, step| m.handle(step, Success));
    assert_eq!(reliable, "Terminated Deliver", "timer K is zero");
    assert_eq!(
        outcome(false, (), |(), step| Client::start(step)),
        "() Trying { interval: 500ms } E=500 F=32000"
    );
    assert_eq!(outcome(true, (), |(), step| Client::start(step)), "() Trying { interval: 500ms } F=32000");
}

#[test]
fn invite_server() {
    use ServerInput::{Ack, Repeat, Respond};
    let completed = ServerInvite::Completed { interval: T1 };
    let timer = ServerInput::Timer;
    for (state, input, expected) in [
        (ServerInvite::Proceeding, Repeat, "Proceeding Resend"),
        (ServerInvite::Proceeding, Ack, "Proceeding Absorb"),
        (ServerInvite::Proceeding, Respond(StatusClass::Provisional), "Proceeding Send"),
        (ServerInvite::Proceeding, Respond(StatusClass::Success), "Accepted Send L=32000"),
        (ServerInvite::Proceeding, Respond(StatusClass::Failure), "Completed Send G=500 H=32000"),
        (completed, Repeat, "Completed Resend"),
        (completed, timer(Timer::G), "Completed Resend G=1000"),
        (ServerInvite::Completed { interval: 8 * T1 }, timer(Timer::G), "Completed Resend G=4000"),
        (completed, timer(Timer::H), "Terminated TimedOut"),
        (completed, Ack, "Confirmed Acknowledged I=5000"),
        (completed, Respond(StatusClass::Success), "Completed Absorb"),
        (ServerInvite::Confirmed, Repeat, "Confirmed Absorb"),
        (ServerInvite::Confirmed, Ack, "Confirmed Absorb"),
        (ServerInvite::Confirmed, timer(Timer::I), "Terminated Absorb"),
        (ServerInvite::Accepted, Repeat, "Accepted Absorb"),
        (ServerInvite::Accepted, Ack, "Accepted DeliverAck"),
        (ServerInvite::Accepted, Respond(StatusClass::Success), "Accepted Send"),
        (ServerInvite::Accepted, Respond(StatusClass::Failure), "Accepted Absorb"),
        (ServerInvite::Accepted, timer(Timer::L), "Terminated Absorb"),
        (ServerInvite::Terminated, Respond(StatusClass::Failure), "Terminated Absorb"),
    ] {
        let got = outcome(false, state, |m, step| m.handle(step, input));
        assert_eq!(got, expected, "{state:?} {input:?}");
    }
    let refused =
        outcome(true, ServerInvite::Proceeding, |m, step| m.handle(step, Respond(StatusClass::Failure)));
    assert_eq!(refused, "Completed Send H=32000", "timer G is off");
    let acknowledged = outcome(true, completed, |m, step| m.handle(step, Ack));
    assert_eq!(acknowledged, "Terminated Acknowledged", "timer I is zero");
}

#[test]
fn non_invite_server() {
    use ServerInput::{Ack, Repeat, Respond};
    for (state, input, expected) in [
        (Server::Trying, Repeat, "Trying Absorb"),
        (Server::Trying, Respond(StatusClass::Provisional), "Proceeding Send"),
        (Server::Trying, Respond(StatusClass::Success), "Completed Send J=32000"),
        (Server::Proceeding, Repeat, "Proceeding Resend"),
        (Server::Proceeding, Respond(StatusClass::Provisional), "Proceeding Send"),
        (Server::Proceeding, Respond(StatusClass::Failure), "Completed Send J=32000"),
        (Server::Completed, Repeat, "Completed Resend"),
        (Server::Completed, Ack, "Completed Absorb"),
        (Server::Completed, Respond(StatusClass::Failure), "Completed Absorb"),
        (Server::Completed, ServerInput::Timer(Timer::J), "Terminated Absorb"),
        (Server::Terminated, Repeat, "Terminated Absorb"),
    ] {
        let got = outcome(false, state, |m, step| m.handle(step, input));
        assert_eq!(got, expected, "{state:?} {input:?}");
    }
    let reliable = outcome(true, Server::Trying, |m, step| m.handle(step, Respond(StatusClass::Failure)));
    assert_eq!(reliable, "Terminated Send", "timer J is zero");
}
