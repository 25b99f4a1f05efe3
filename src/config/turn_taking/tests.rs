use super::*;
use crate::voice::AudioSettings;

fn set(keys: &str) -> Result<TurnTaking, String> {
    read("a.toml", &format!("[agent]\nname = \"A\"\n[turn_taking]\n{keys}"), &TurnTaking::default())
        .map(|config| config.voice)
        .map_err(|faults| faults.to_string().replace("a.toml:", ""))
}

fn understanding(keys: &str) -> UnderstandingConfig {
    read("a.toml", &format!("[turn_taking]\n{keys}"), &TurnTaking::default()).unwrap().understanding
}

#[test]
fn an_agents_backchannels_are_added_to_the_usual_ones_or_replace_them() {
    let covers = |keys: &str, text: &str| understanding(keys).backchannels.covers(text);
    assert_eq!(understanding(""), UnderstandingConfig::default());
    let own = "backchannels = [\"sari\", \"aama sir\"]";
    for (text, with_usual, alone) in [
        ("sari sari", true, true),
        ("Aama, sir.", true, true),
        ("haan sari", true, false),
        ("aama", false, false),
    ] {
        assert_eq!(covers(own, text), with_usual, "{text}");
        assert_eq!(covers(&format!("{own}\nusual_backchannels = false"), text), alone, "{text}");
    }
    assert!(!covers("usual_backchannels = false", "haan"));
}

#[test]
fn without_keys_the_defaults_hold() {
    assert_eq!(read("a.toml", "[agent]\n", &TurnTaking::default()).unwrap(), TurnTakingConfig::default());
    assert_eq!(set("").unwrap(), TurnTaking::default());
    assert_eq!(set("sensitivity = \"normal\"").unwrap(), TurnTaking::default());
    // Somebody else tells of that.
    assert_eq!(set("= 5").unwrap(), TurnTaking::default());
}

#[test]
fn every_key_sets_its_number_and_no_other() {
    for time in TIMES {
        let mut expected = TurnTaking::default();
        let ms = u64::try_from((time.place)(&mut expected).as_millis()).unwrap();
        assert!(time.bounds.contains(&ms), "{} has a default out of its bounds", time.key);
        // What does not contradict another key's default.
        let others = [ms + 20, ms.saturating_sub(20)].into_iter();
        let mut set_to =
            others.filter_map(|other| Some((other, set(&format!("{} = {other}", time.key)).ok()?)));
        let (other, came) = set_to.next().unwrap();
        assert_ne!(other, ms);
        *(time.place)(&mut expected) = Duration::from_millis(other);
        assert_eq!(came, expected, "{}", time.key);
    }
    for number in NUMBERS {
        let mut expected = TurnTaking::default();
        let bounds = [*number.bounds.end(), *number.bounds.start()].into_iter();
        let mut set_to =
            bounds.filter_map(|bound| Some((bound, set(&format!("{} = {bound}", number.key)).ok()?)));
        let (bound, came) = set_to.next().unwrap();
        *(number.place)(&mut expected) = bound;
        assert_eq!(came, expected, "{}", number.key);
    }
    let all = set("min_words = 3\nends_turn_on = \"*\"\necho_cancellation = \"off\"\ncaller_gain = false\n\
                   loudness = false\nnoise_suppression = true")
    .unwrap();
    assert_eq!((all.detection.min_words, all.patience.ends_turn_on), (3, Digit::from_char('*')));
    let audio = AudioSettings {
        echo_cancellation: EchoCancellation::Off,
        caller_gain: false,
        loudness: false,
        noise_suppression: true,
    };
    assert_eq!(all.audio, audio);
    assert_eq!(set("ends_turn_on = \"none\"").unwrap().patience.ends_turn_on, None);
}

#[test]
fn a_preset_sets_many_and_a_key_beside_it_one() {
    let low = set("sensitivity = \"low\"").unwrap().detection;
    let high = set("sensitivity = \"high\"").unwrap().detection;
    let normal = Detection::default();
    assert!(low.stop_after > normal.stop_after && normal.stop_after > high.stop_after);
    assert!(low.above_room_db > normal.above_room_db && normal.above_room_db > high.above_room_db);
    let mixed = set("sensitivity = \"low\"\nstop_after_ms = 500").unwrap().detection;
    assert_eq!(mixed, Detection { stop_after: Duration::from_millis(500), ..low });
}

#[test]
fn nonsense_is_refused_with_its_place_and_what_to_do() {
    for (keys, expected) in [
        (
            "stop_after_mss = 500",
            "4:1: [turn_taking] stop_after_mss: unknown key; did you mean `stop_after_ms`?",
        ),
        ("duck_after_ms = 5", "4:17: [turn_taking] duck_after_ms = 5: must be 20..=400 ms"),
        ("duck_after_ms = -1", "4:17: [turn_taking] duck_after_ms = -1: must be 20..=400 ms"),
        ("above_room_db = nan", "4:17: [turn_taking] above_room_db = nan: must be 0..=20 dB"),
        ("above_room_db = \"4\"", "4:17: [turn_taking] above_room_db = \"4\": must be 0..=20 dB"),
        ("unfinished_to = 0.7", "4:17: [turn_taking] unfinished_to = 0.7: must be 0..=0.49"),
        ("min_words = 0", "4:13: [turn_taking] min_words = 0: must be 1..=10 words"),
        (
            "backchannels = [\"haan\", \"...\"]",
            "4:25: [turn_taking] backchannels = \"...\": must be what a listener says, 1 to 8 words and at most 200 bytes, as \
             \"haan ji\"",
        ),
        (
            "backchannels = \"haan\"",
            "4:16: [turn_taking] backchannels = \"haan\": must be a list in brackets",
        ),
        (
            "end_of_turn_model = \"turns.onnx\"",
            "4:21: [turn_taking] end_of_turn_model = \"turns.onnx\": no model can be loaded from a file yet, the words alone \
             judge; remove the key",
        ),
        (
            "sensitivity = \"max\"",
            "4:15: [turn_taking] sensitivity = \"max\": must be \"low\" or \"normal\" or \"high\"",
        ),
        (
            "echo_cancellation = true",
            "4:21: [turn_taking] echo_cancellation = true: must be \"auto\" or \"off\"",
        ),
        ("loudness = \"on\"", "4:12: [turn_taking] loudness = \"on\": must be true or false"),
        (
            "ends_turn_on = \"##\"",
            "4:16: [turn_taking] ends_turn_on = \"##\": must be one key, as \"#\" or \"*\", or \"none\"",
        ),
        (
            "pause_after_ms = 520\nforgive_after_ms = 600",
            "4:18: [turn_taking] pause_after_ms = 520: pause_after_ms (520 ms) is more than stop_after_ms (500 ms): the \
             agent would stop without a pause; lower pause_after_ms or raise stop_after_ms",
        ),
        (
            "max_utterance_ms = 1900\nmin_utterance_ms = 1950",
            "5:20: [turn_taking] min_utterance_ms = 1950: min_utterance_ms (1950 ms) is more than max_utterance_ms \
             (1900 ms): no turn would be long enough; lower min_utterance_ms or raise max_utterance_ms",
        ),
        (
            "neutral_silence_ms = 400",
            "4:22: [turn_taking] neutral_silence_ms = 400: complete_silence_ms (550 ms) is more than neutral_silence_ms \
             (400 ms): whole sentences would wait longest; lower complete_silence_ms or raise neutral_silence_ms",
        ),
        (
            "duck_after_ms = 200",
            "4:17: [turn_taking] duck_after_ms = 200: duck_after_ms (200 ms) is more than pause_after_ms (160 ms): the \
             agent would pause before it is turned down; lower duck_after_ms or raise pause_after_ms",
        ),
        (
            "above_room_db = 1",
            "4:17: [turn_taking] above_room_db = 1: still_above_room_db (2 dB) is more than above_room_db (1 dB): what turns \
             the agent down would be no speech any more; lower still_above_room_db or raise above_room_db",
        ),
    ] {
        assert_eq!(set(keys).unwrap_err(), expected);
    }
    for contradiction in [
        "max_utterance_ms = 1000",
        "max_utterance_without_words_ms = 1000\nsilence_ms = 3000",
        "unheard_silence_ms = 200\nend_after_ms = 500",
        "likely_after_ms = 60",
        "complete_stall_ms = 2000",
        "unfinished_stall_ms = 0",
        "begin_after_ms = 200",
        "above_room_db = 0\nstill_above_room_db = 20",
    ] {
        let told = set(contradiction).unwrap_err();
        assert!(told.contains("is more than"), "{contradiction}: {told}");
    }
    let told = read("a.toml", "turn_taking = 5", &TurnTaking::default()).unwrap_err().to_string();
    assert_eq!(told, "a.toml:1:15: [turn_taking]: must be a table: write [turn_taking]");
}

#[test]
fn every_preset_keeps_every_rule() {
    for (word, _) in SENSITIVITIES {
        set(&format!("sensitivity = \"{word}\"")).unwrap();
    }
}

#[test]
fn the_documentation_names_every_key_with_its_default_and_bounds() {
    let of = |sensitivity| TurnTaking {
        detection: Detection::with_sensitivity(sensitivity),
        ..TurnTaking::default()
    };
    let presets = [Sensitivity::Normal, Sensitivity::Low, Sensitivity::High].map(of);
    let row = |key: &str, values: [String; 3], bounds: String, about: &str| {
        let [normal, low, high] = &values;
        let default = if low == normal && high == normal {
            normal.clone()
        } else {
            format!("{normal} ({low} / {high})")
        };
        format!("| `{key}` | {default} | {bounds} | {about} |\n")
    };
    let mut expected =
        String::from("| key | default (low / high) | bounds | what it is |\n|---|---|---|---|\n");
    for NumberKey { key, bounds, unit, place, about } in NUMBERS {
        let values = presets.map(|mut preset| place(&mut preset).to_string());
        let bounds = format!("{} to {} {unit}", bounds.start(), bounds.end());
        expected += &row(key, values, bounds.trim_end().to_owned(), about);
    }
    let words = presets.map(|preset| preset.detection.min_words.to_string());
    let about = "so many words stop the agent, if they are more than backchannels";
    expected += &row("min_words", words, format!("1 to {MAX_MIN_WORDS}"), about);
    for TimeKey { key, bounds, place, about } in TIMES {
        let values = presets.map(|mut preset| place(&mut preset).as_millis().to_string());
        expected += &row(key, values, format!("{} to {} ms", bounds.start(), bounds.end()), about);
    }
    let documented = include_str!("../../../docs/agents.md");
    assert!(documented.contains(&expected), "docs/agents.md must have this table:\n{expected}");
    let switches = [
        "sensitivity",
        "ends_turn_on",
        "backchannels",
        "usual_backchannels",
        "echo_cancellation",
        "caller_gain",
        "loudness",
        "noise_suppression",
    ];
    assert!(switches.iter().all(|key| documented.contains(&format!("| `{key}` | "))), "{switches:?}");
}
