//! What is wrong with a dialogue is found when it is read, each fault with its place and what to do.

use super::*;

fn fault(from: &str, to: &str) -> String {
    assert!(DEMO.contains(from), "{from}");
    let faults = Script::parse("demo.toml", &DEMO.replacen(from, to, 1), BUILT_IN).unwrap_err().to_string();
    faults.splitn(4, ':').last().unwrap().trim().to_owned()
}

#[test]
fn every_fault_says_what_to_do() {
    for (from, to, expected) in [
        (
            r#"next = "menu" }"#,
            r#"next = "mneu" }"#,
            "[state.greet] next: there is no state `mneu`; did you mean `menu`?",
        ),
        (
            r#"say = ["greeting"]"#,
            r#"say = ["welcome_to_you"]"#,
            "[state.greet] say: there is no prompt `welcome_to_you`; add [prompt.welcome_to_you]",
        ),
        (
            "{choice.id:spell}, इसके",
            "{choice.id:shout}, इसके",
            "[prompt.one_of_several] hi: \"shout\" is no way to speak; write spell, number, date, amount or lexicon.NAME",
        ),
        (
            r#"shoes = { hi = "जूते", en = "shoes" }"#,
            r#"shoes = { hi = "जूते" }"#,
            "[lexicon.item] shoes: needs a text for `en`, for which the agent has a voice",
        ),
        (
            r#""0" = "message""#,
            r#""x" = "message""#,
            "[state.menu]: \"x\" is no key; write one of 0-9, * and #",
        ),
        ("min_digits = 3", "min_digits = 13", "[state.ask_order]: needs 1 <= min_digits <= max_digits <= 32"),
        (
            r#"give_up = "message" }"#,
            r#"give_up = "ask_order" }"#,
            "[state.ask_order]: leads back to itself although the caller does nothing right",
        ),
        (
            r#"greet = { kind = "say","#,
            r#"greet = { kind = "say", min_digits = 3,"#,
            "[state.greet] min_digits: is of no use in this kind of state; remove it, or make the state a `collect`",
        ),
        (r#", error = "tool_failed" }"#, " }", "[state.look_up]: needs the key `results.error`"),
        ("tries = 3", "trys = 3", "unknown key `trys`; did you mean `tries`?"),
    ] {
        let found = fault(from, to);
        assert!(found.contains(expected), "{found}\n{expected}");
    }
}

#[test]
fn a_file_without_bounds_is_refused() {
    let long = format!("{DEMO}\n{}", "#".repeat(256 * 1024));
    let fault = Script::parse("demo.toml", &long, BUILT_IN).unwrap_err().to_string();
    assert!(fault.contains("is longer than 262144 bytes; split the dialogue"), "{fault}");
}

/// The faults of the demo with a change, each as `LINE:COLUMN: …`.
fn placed(from: &str, to: &str) -> Vec<String> {
    assert!(DEMO.contains(from), "{from}");
    let faults = Script::parse("demo.toml", &DEMO.replacen(from, to, 1), BUILT_IN).unwrap_err();
    faults.iter().map(|fault| fault.to_string().replace("demo.toml:", "")).collect()
}

#[test]
fn values_that_may_not_be_there_or_do_not_fit_are_faults() {
    for (from, to, expected) in [
        (
            "ऑर्डर {order.id:spell}, {order.item",
            "ऑर्डर {odrer.id:spell}, {order.item",
            "[state.status] say: uses `odrer.id`, but nothing sets `odrer`; did you mean `order`?",
        ),
        (
            "en = \"Hello! I am Caly, your order assistant.\"",
            "en = \"Hello {order.id:spell}\"",
            "[state.greet] say: uses `order.id`, but `order` is not set on every way here; let the state with `into = \"order\"` come first",
        ),
        (
            "en = \"Sorry, our system has a problem right now.\"",
            "en = \"Sorry. {done.date:date}\"",
            "[state.tool_failed] say: uses `done.date`, but `done` is not set on every way here",
        ),
        (
            "arguments = { keypad = \"typed\" }",
            "arguments = { keypad = \"tyepd\" }",
            "[state.look_up] arguments.keypad: uses `tyepd`, but nothing sets `tyepd`; did you mean `typed`?",
        ),
        (
            "from = \"found.orders\"",
            "from = \"found\"",
            "[state.several] from: uses `found`, which is a tool's whole answer; name a field of it, as `found.id`",
        ),
        (
            "en = \"One moment, I am checking.\"",
            "en = \"One moment, {typed:date}\"",
            "[state.look_up] filler: speaks `typed` as a date, which it never is",
        ),
        (
            "en = \"Thank you for calling. Goodbye!\"",
            "en = \"Goodbye {typed:spell}\"",
            "[agent] goodbye: uses `typed`, but `typed` is not set on every way here",
        ),
        (
            "en = \"Sorry, that is not right.\"",
            "en = \"Sorry, {n:number} is not right.\"",
            "[state.actions] no_match: uses `n`, but `n` is known only to the prompt under `each`",
        ),
    ] {
        let found = placed(from, to);
        assert!(found.iter().any(|found| found.contains(expected)), "{found:#?}\n{expected}");
    }
}

#[test]
fn a_sound_use_of_values_is_none() {
    for (from, to) in [
        ("en = \"One moment, I am checking.\"", "en = \"One moment.\""),
        ("en = \"I found more than one order.\"", "en = \"There are several: {typed:spell}.\""),
        ("en = \"Your ticket is open. Its", "en = \"The ticket for {order.id:spell} is open. Its"),
    ] {
        assert!(DEMO.contains(from), "{from}");
        Script::parse("demo.toml", &DEMO.replacen(from, to, 1), BUILT_IN).unwrap();
    }
}

#[test]
fn unknown_keys_and_words_are_told_with_their_place_and_what_was_meant() {
    let line = |what: &str| DEMO.lines().position(|line| line.contains(what)).unwrap() + 1;
    let greet = line("greet = { kind");
    for (from, to, expected) in [
        (
            "tries = 3",
            "trys = 3",
            format!("{}:1: unknown key `trys`; did you mean `tries`?", line("tries = 3")),
        ),
        (
            "greet = { kind = \"say\", say",
            "greet = { kind = \"say\", sya",
            format!("{greet}:25: unknown key `sya`; did you mean `say`?"),
        ),
        (
            "greet = { kind = \"say\"",
            "greet = { kind = \"sya\"",
            format!("{greet}:18: unknown word `sya`; did you mean `say`?"),
        ),
        (
            "tool = \"lookup_order\"",
            "tool = \"lookup_odrer\"",
            format!(
                "{}:8: [state.look_up] tool: there is no tool `lookup_odrer`; did you mean `lookup_order`?",
                line("tool = \"lookup_order\"")
            ),
        ),
    ] {
        assert_eq!(placed(from, to), [expected]);
    }
}

#[test]
fn numbers_and_lengths_are_bounded() {
    let states: String = (0..500).map(|n| format!("[state.more{n}]\nkind = \"hang_up\"\n")).collect();
    let prompts: String = (0..1_000).map(|n| format!("[prompt.more{n}]\nhi = \"a\"\nen = \"a\"\n")).collect();
    let words: String = (0..2_000).map(|n| format!("w{n} = {{ hi = \"a\", en = \"a\" }}\n")).collect();
    let words = format!("[lexicon.more]\n{words}");
    for (more, expected) in [
        (states, "[agent]: the agent has 530 states; at most 500 are allowed: split it into several"),
        (prompts, "prompts; at most 1000 are allowed: split it into several"),
        (words, "[agent]: the agent has 2012 words in its lexicons; at most 2000 are allowed"),
    ] {
        let found = Script::parse("demo.toml", &format!("{DEMO}{more}"), BUILT_IN).unwrap_err().to_string();
        assert!(found.contains(expected), "{}", found.lines().next().unwrap_or_default());
    }
    for (from, to, expected) in [
        ("tries = 3", "tries = 10", "tries: must be 1..=9".to_owned()),
        ("max_visits = 2", "max_visits = 0", "[state.none] max_visits: must be 1..=99".to_owned()),
        (
            "say = [\"greeting\"]",
            &format!("say = [{}]", "\"greeting\",".repeat(9)),
            "[state.greet] say: has 9 prompts; at most 8 are allowed".to_owned(),
        ),
        (
            "en = \"I did not hear anything.\"",
            &format!("en = \"{}\"", "a".repeat(1_001)),
            "[prompt.no_input] en: is longer than 1000 characters; split it into several prompts".to_owned(),
        ),
        (
            "hindi = { kind",
            &format!("{} = {{ kind", "h".repeat(65)),
            format!("[state.{}]: the name must have 1 to 64 bytes", "h".repeat(64)),
        ),
    ] {
        let found = placed(from, to);
        assert!(found.iter().any(|found| found.contains(&expected)), "{found:#?}\n{expected}");
    }
}

#[test]
fn whatever_the_text_it_is_read_or_refused_with_places() {
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let lines: Vec<&str> = DEMO.lines().collect();
    let pieces = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        "=",
        "\n",
        "{order.id:date}",
        "{x:",
        "kind",
        "menu",
        "9",
        "é",
        "\u{7}",
        ",",
    ];
    let (mut sound, mut faulty) = (0, 0);
    for _ in 0..200 {
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        for _ in 0..=random(2) {
            let at = random(changed.len());
            let other = lines[random(lines.len())];
            match random(4) {
                0 => drop(changed.remove(at)),
                1 => changed.insert(at, other.to_owned()),
                2 => changed[at] = other.to_owned(),
                _ => {
                    let line = &mut changed[at];
                    let ends: Vec<_> =
                        line.char_indices().map(|(index, _)| index).chain([line.len()]).collect();
                    line.insert_str(ends[random(ends.len())], pieces[random(pieces.len())]);
                }
            }
        }
        match Script::parse("demo.toml", &changed.join("\n"), BUILT_IN) {
            Ok(script) => {
                sound += 1;
                assert!(script.lines().all(|(_, line)| !line.is_empty()));
            }
            Err(faults) => {
                faulty += 1;
                assert!(faults.iter().all(|fault| fault.place.is_some()), "{faults}");
                assert!(faults.iter().all(|fault| !fault.to_string().contains('\n')), "{faults}");
            }
        }
    }
    assert!(sound > 10 && faulty > 60, "{sound} {faulty}");
}
