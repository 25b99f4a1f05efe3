//! Transactions and dialogs with sipp: cancelling, repeating, merging, and requests in the wrong order.

mod common;

use common::server::Server;
use common::sipp::{Sipp, Transport};

/// Runs one scenario over both transports and checks the row that each run leaves.
#[track_caller]
fn leaves_rows(scenario: &str, user: &str, cause: &str, status: u16) {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new(scenario, user).over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    for row in &rows {
        assert_eq!(
            (row["cause"].as_str(), row["status"].as_u64()),
            (Some(cause), Some(status.into())),
            "{rows:?}"
        );
    }
}

#[test]
fn cancel_while_it_rings_ends_the_call() {
    leaves_rows("cancel", "ring", "canceled", 487);
}

#[test]
fn bye_in_an_early_dialog_ends_the_call() {
    leaves_rows("early_bye", "ring", "canceled", 487);
}

#[test]
fn a_repeated_invite_is_the_same_call() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("retransmitted_invite", "ring").over(transport).ignoring_unexpected().run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["cause"] == "canceled"), "{rows:?}");
}

#[test]
fn the_same_request_by_another_way_gets_482_and_is_the_same_call() {
    leaves_rows("merged_request", "ring", "canceled", 487);
}

#[test]
fn a_second_invite_while_the_first_is_pending_gets_500_and_a_time_to_retry() {
    leaves_rows("invite_while_pending", "ring", "canceled", 487);
}

#[test]
fn a_request_older_than_the_last_gets_500_and_the_call_goes_on() {
    leaves_rows("cseq_order", "echo", "remote_bye", 200);
}

#[test]
fn options_inside_a_call_leave_it_alone() {
    leaves_rows("options_in_dialog", "echo", "remote_bye", 200);
}

#[test]
fn options_outside_a_call_tell_what_is_understood() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("options", "echo").over(transport).run(&server);
    }
    assert!(server.calls().is_empty(), "no call came of it");
}
