//! Agents are found in their folder, and what is wrong with them is told with the faults of the configuration.

use std::fs;
use std::path::PathBuf;

use super::folder::MAX_AGENTS;
use super::*;
use crate::config::Config;
use crate::mind::script::MAX_SCRIPT_BYTES;
use crate::voice::TurnTaking;

/// A folder with a configuration file that says `[agents] dir = "agents"`.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, agents: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("caly-agents-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(folder.join("agents")).unwrap();
        for (file, text) in agents {
            fs::write(folder.join("agents").join(file), text).unwrap();
        }
        Self(folder)
    }

    /// Loads the configuration, with more text behind the table; faults are told relative to the folder.
    fn load(&self, more: &str) -> Result<Config, String> {
        let path = self.0.join("caly.toml");
        fs::write(&path, format!("[agents]\ndir = \"agents\"\n{more}")).unwrap();
        let here = format!("{}/", self.0.display());
        Config::load(Some(&path), &["echo"]).map_err(|faults| faults.to_string().replace(&here, ""))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn names(config: &Config) -> Vec<&str> {
    config.agents.iter().map(|agent| agent.name.as_str()).collect()
}

#[test]
fn the_demo_agent_is_always_there() {
    let default = Config::default();
    assert_eq!(names(&default), ["demo"]);
    let folder = Folder::new("none", &[("notes.txt", "none"), (".demo.toml", "an editor's")]);
    assert_eq!(folder.load("").unwrap(), default);
}

#[test]
fn every_file_of_the_folder_is_an_agent_the_demo_first() {
    let folder = Folder::new("some", &[("support.toml", DEMO), ("billing.toml", DEMO)]);
    let route = "[[route]]\nnumber = \"5\"\ndestination = \"agent:support\"\n";
    let config = folder.load(route).unwrap();
    assert_eq!(names(&config), ["demo", "billing", "support"]);
    assert_eq!(config.routes[0].destination, "agent:support");
}

#[test]
fn a_file_of_that_name_takes_the_place_of_the_demo() {
    let folder = Folder::new("demo", &[("demo.toml", &DEMO.replace("name = \"Caly\"", "name = \"Mira\""))]);
    let config = folder.load("").unwrap();
    assert_eq!(config.agents.iter().map(|agent| agent.mind.title()).collect::<Vec<_>>(), ["Mira"]);
}

#[test]
fn faults_of_all_files_are_told_at_once_each_in_its_place() {
    let bad = DEMO.replace("start = \"greet\"", "start = \"gret\"");
    let tool = DEMO.replace("tool = \"cancel_order\"", "tool = \"cancel_ordre\"");
    let files =
        [("a.toml", bad.as_str()), ("b.toml", tool.as_str()), ("bad name.toml", DEMO), ("c.toml", DEMO)];
    let folder = Folder::new("faulty", &files);
    let routes = "[rtp]\njitter_ms = 500\n[[route]]\nnumber = \"1\"\ndestination = \"agent:a\"\n\
                  [[route]]\nnumber = \"2\"\ndestination = \"agent:bb\"\n";
    let told = folder.load(routes).unwrap_err();
    let line = |text: &str, what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
    let expected = [
        "caly.toml:4:13: [rtp] jitter_ms = 500: must be 20..=200 ms".to_owned(),
        "caly.toml:10:15: [[route]] 2 destination = \"agent:bb\": is no destination; did you mean `agent:b`?".to_owned(),
        "agents/a.toml:8:9: [agent] start: there is no state `gret`; did you mean `greet`?".to_owned(),
        format!(
            "agents/b.toml:{}:8: [state.cancel] tool: there is no tool `cancel_ordre`; did you mean \
             `cancel_order`?",
            line(&tool, "cancel_ordre")
        ),
        "agents/bad name.toml: the file's name is how routes call the agent: give it 1 to 64 letters, digits, dots, \
         dashes or underscores before `.toml`"
            .to_owned(),
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_route_to_an_agent_that_is_not_there_is_told_what_there_is() {
    let folder = Folder::new("route", &[("sales.toml", DEMO)]);
    let told = folder.load("[[route]]\nnumber = \"5\"\ndestination = \"agent:nobody-here\"\n").unwrap_err();
    let ending = "[[route]] 1 destination = \"agent:nobody-here\": is no destination; there are echo, agent:demo, agent:sales";
    assert!(told.ends_with(ending), "{told}");
}

#[test]
fn a_folder_that_is_not_there_or_has_twins_is_a_fault_of_the_key() {
    let folder = Folder::new("twins", &[("Sales.toml", DEMO), ("sales.toml", DEMO)]);
    assert_eq!(
        folder.load("").unwrap_err(),
        "caly.toml:2:7: [agents] dir = \"agents\": has two agents of one name, agents/Sales.toml and agents/sales.toml; \
         rename one of the files"
    );
    fs::remove_dir_all(folder.0.join("agents")).unwrap();
    let told = folder.load("").unwrap_err();
    let beginning = "caly.toml:2:7: [agents] dir = \"agents\": agents cannot be read: ";
    assert!(
        told.starts_with(beginning) && told.ends_with("name a folder, relative to that of this file"),
        "{told}"
    );
}

#[test]
fn number_and_size_are_bounded_and_only_files_are_read() {
    let folder = Folder::new("many", &[("long.toml", &"#".repeat(MAX_SCRIPT_BYTES + 1))]);
    fs::create_dir(folder.0.join("agents/folder.toml")).unwrap();
    assert_eq!(
        folder.load("").unwrap_err(),
        "agents/folder.toml: is no file; remove it from the agents' folder\n\
         agents/long.toml: is longer than 262144 bytes; is it the right file?"
    );
    for number in 0..MAX_AGENTS {
        fs::write(folder.0.join(format!("agents/{number}.toml")), "").unwrap();
    }
    let told = folder.load("").unwrap_err();
    assert!(told.contains("agents has 66 agents; at most 64 are allowed"), "{told}");
}

#[test]
fn each_agent_takes_turns_as_its_file_says() {
    let patient = format!("{DEMO}\n[turn_taking]\nsensitivity = \"low\"\nsilence_ms = 900\n");
    let folder = Folder::new("turns", &[("patient.toml", &patient), ("usual.toml", DEMO)]);
    let config = folder.load("").unwrap();
    let of = |name: &str| config.agents.iter().find(|agent| agent.name == name).unwrap().turn_taking.voice;
    assert_eq!((of("usual"), of("demo")), (TurnTaking::default(), TurnTaking::default()));
    assert_eq!(of("patient").patience.without_words.as_millis(), 900);
    assert!(of("patient").detection.stop_after > of("usual").detection.stop_after);
}

#[test]
fn faults_of_an_agents_turn_taking_are_told_with_those_of_its_dialogue() {
    let bad = DEMO.replace("start = \"greet\"", "start = \"gret\"");
    let lines = bad.lines().count();
    let bad = format!("{bad}[turn_taking]\nsilence_m = 900\npause_after_ms = 600\nforgive_after_ms = 800\n");
    let folder = Folder::new("contrary", &[("a.toml", &bad)]);
    let expected = [
        "agents/a.toml:8:9: [agent] start: there is no state `gret`; did you mean `greet`?".to_owned(),
        format!(
            "agents/a.toml:{}:1: [turn_taking] silence_m: unknown key; did you mean `silence_ms`?",
            lines + 2
        ),
        format!(
            "agents/a.toml:{}:18: [turn_taking] pause_after_ms = 600: pause_after_ms (600 ms) is more than \
             stop_after_ms (500 ms): the agent would stop without a pause; lower pause_after_ms or raise stop_after_ms",
            lines + 3
        ),
    ];
    assert_eq!(folder.load("").unwrap_err().lines().collect::<Vec<_>>(), expected);
}
