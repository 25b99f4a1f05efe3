//! A caller who calls again is known to the agent by what was said before, and nobody else is: on real sockets, with the server's own database.
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

mod common;
mod on_sockets;

use std::time::Duration;

use serde_json::Value;

use common::raw_call::RawCall;
use common::server::{Server, ServerSetup};
use common::wait;
use on_sockets::{ANSWER, Act, Asking, House, QUESTION, asking, said};

/// Longer than a busy machine takes for a question and its answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_second_call_of_a_number_knows_the_first() {
    let mut house = House::new("known-again");
    for (hop, word) in on_sockets::cast::HOPS.iter().enumerate() {
        house.provider(hop, on_sockets::cast::KINDS[hop][0], word, &Act::Well);
    }
    let hops = on_sockets::cast::HOPS;
    let (asha, other) = (
        house.agent([&[hops[0]], &[hops[1]], &[hops[2]]]),
        house.agent([&[hops[0]], &[hops[1]], &[hops[2]]]),
    );
    let server = ServerSetup::default().config(house.config()).start();
    let calls = [
        ("+919812345678", &asha, 0),
        ("anonymous", &asha, 0),
        ("+919812345678", &other, 0),
        ("anonymous", &asha, 0),
        ("919812345678", &asha, 1),
    ];
    for (number, (from, agent, known)) in calls.into_iter().enumerate() {
        let told = ask(&server, &house, number, (from, agent));
        let before = told.matches("\"said\":").count();
        assert_eq!(before, known, "call {number} from {from}: {told}\n{}", server.log());
        assert!(known == 0 || told.contains(&format!("\"caller: {QUESTION}\"")), "{told}");
        assert!(known == 0 || told.contains(ANSWER), "{told}");
    }
    house.close();
}

/// Call `number`, the first is 0: asks and is answered. Returns what the model was told besides the conversation.
fn ask(server: &Server, house: &House, number: usize, (from, agent): (&str, &str)) -> String {
    let asked_before = prompts(house).len();
    let mut call = Asking::new(RawCall::place_from(from, server.sip(), agent), &asking(2.0, 60.0));
    let records = server.records();
    let id = wait::until("the call's row", PATIENCE, || {
        let rows = records.calls();
        let open = rows.iter().find(|row| row["cause"].is_null())?;
        (rows.len() == number + 1).then(|| open["id"].as_str().unwrap_or_default().to_owned())
    });
    wait::until("the answer", PATIENCE, || {
        assert!(!call.is_over(), "the agent has ended the call: {}", server.log());
        said(&records.call(&id)).iter().any(|text| text == ANSWER).then_some(())
    });
    call.end();
    wait::until("the call in the database", PATIENCE, || {
        let call = records.call(&id);
        (call["cause"].is_string() && call["events_in_spool"] == 0).then_some(())
    });
    let prompts = prompts(house);
    assert!(prompts.len() > asked_before, "the model was asked");
    let system = prompts.last().map(|prompt| &prompt["messages"][0]).expect("a message");
    assert_eq!(system["role"], "system");
    match &system["content"] {
        Value::String(text) => text.clone(),
        parts => parts.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect(),
    }
}

/// All that models were asked.
fn prompts(house: &House) -> Vec<Value> {
    let bodies = house.seen.record().arrivals.into_iter().map(|(_, arrival)| arrival.body);
    let prompts = bodies.filter_map(|body| serde_json::from_slice::<Value>(&body).ok());
    prompts.filter(|body| body["messages"].is_array()).collect()
}
