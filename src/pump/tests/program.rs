//! Programs of this machine.

use caly_provider::link::ProgramRequest;

use super::*;

fn program(program: &str, arguments: &[&str], stdin: &[u8]) -> Request {
    let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
    Request::Program(ProgramRequest { program: program.to_owned(), arguments, stdin: stdin.to_vec() })
}

fn shell(script: &str) -> Request {
    program("sh", &["-c", script], b"")
}

async fn complaint(request: Request) -> String {
    let mut links = links().with_open(request);
    loop {
        match links.event().await {
            LinkEvent::Opened(_) | LinkEvent::Received(_) => {}
            LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Program(why))) => return why,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn it_reads_what_it_is_given_and_is_heard_in_parts() {
    // More than both pipes hold: it is fed and heard at the same time.
    let megabyte = vec![b'a'; 1_048_576];
    let mut links = links().with_open(program("cat", &[], &megabyte));
    assert_eq!(links.opened().await, ResponseHead::default());
    let mut bytes = 0;
    let end = loop {
        match links.event().await {
            LinkEvent::Received(Message::Binary(part)) => {
                assert!(part.len() <= 16 * 1024);
                bytes += part.len();
            }
            LinkEvent::Ended(end) => break end,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((end, bytes), (LinkEnd::Complete, megabyte.len()));
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_its_own_words() {
    let why = complaint(shell("echo 'no such voice' >&2; echo more >&2; exit 3")).await;
    assert!(why.contains("no such voice") && why.contains('3') && !why.contains("more"), "{why}");
    assert!(complaint(shell("exit 4")).await.contains("said nothing"));
    let why = complaint(shell("echo 'cannot read it' >&2")).await;
    assert!(why.contains("cannot read it"), "{why}");
    // It chats, and brings what it should.
    assert_eq!(links().with_open(shell("echo loading >&2; echo ok")).body().await, b"ok\n");
    assert_eq!(links().with_open(shell("true")).body().await, b"");
}

#[tokio::test]
async fn who_lacks_a_program_is_told_how_to_get_it() {
    let missing = complaint(program("caly-has-no-such-program", &[], b"")).await;
    assert!(missing.contains("apt-get install caly-has-no-such-program"), "{missing}");
    let missing = complaint(program("/nowhere/speak", &[], b"")).await;
    assert!(missing.contains("path"), "{missing}");
    assert!(complaint(program("/etc/passwd", &[], b"")).await.contains("chmod"));
}

#[tokio::test]
async fn it_sees_nothing_of_the_servers_environment() {
    let environment = String::from_utf8(links().with_open(program("env", &[], b"")).body().await).unwrap();
    let mut names: Vec<_> = environment.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["LANG", "PATH"]);
}

#[tokio::test]
async fn closing_kills_it() {
    let mut links = links().with_open(shell("echo $$; exec sleep 1000"));
    links.opened().await;
    let Message::Binary(line) = links.received().await else { panic!("no process number") };
    let process = format!("/proc/{}", String::from_utf8(line).unwrap().trim());
    assert!(std::path::Path::new(&process).exists());
    links.deed(LINK, LinkDeed::Close);
    links.finish().await;
    // Reaped as well: a zombie would still stand there.
    let reaped = async {
        while std::path::Path::new(&process).exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, reaped).await.expect("it lives");
}
