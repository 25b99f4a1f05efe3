//! Text in columns of a terminal. A column is not a character: the signs of Devanagari stand above and below their letters,
//! and Chinese takes two columns for each.

use console::measure_text_width;

/// Columns that `text` takes.
pub(super) fn columns(text: &str) -> usize {
    measure_text_width(text)
}

/// Text from a peer, without characters that a terminal would obey or that turn the line round.
pub(super) fn printable(text: &str) -> String {
    let is_obeyed = |character: char| {
        character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if is_obeyed(character) { '\u{fffd}' } else { character }).collect()
}

/// Printable text in at most `width` columns.
pub(super) fn clipped(text: &str, width: usize) -> String {
    let text = printable(text);
    if columns(&text) <= width {
        return text;
    }
    let mut short = text[..fitting(&text, width.saturating_sub(1))].to_owned();
    short.push('…');
    short
}

/// Printable text in exactly `width` columns.
pub(super) fn fixed(text: &str, width: usize) -> String {
    let mut text = clipped(text, width);
    let missing = width.saturating_sub(columns(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// `text` behind `head`, in lines of at most `width` columns; the lines behind the first are indented as far as `head`
/// reaches. Without a width it is one line.
pub(super) fn wrapped(head: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let indent = columns(head);
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(NARROWEST));
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        add_word(&mut lines, word, room);
    }
    let margin = " ".repeat(indent);
    let heads = std::iter::once(head).chain(std::iter::repeat(margin.as_str()));
    heads.zip(lines).map(|(head, line)| format!("{head}{line}").trim_end().to_owned()).collect()
}

fn add_word(lines: &mut Vec<String>, word: &str, room: usize) {
    let mut rest = word;
    if let Some(line) = lines.last_mut() {
        let gap = usize::from(!line.is_empty());
        if columns(line) + gap + columns(rest) <= room {
            line.extend([&" "[..gap], rest]);
            return;
        }
        if line.is_empty() {
            lines.pop();
        }
    }
    while columns(rest) > room {
        let (head, tail) = rest.split_at(fitting(rest, room).max(first_character(rest)));
        lines.push(head.to_owned());
        rest = tail;
    }
    lines.push(rest.to_owned());
}

/// Bytes at the beginning of `text` that fit into `width` columns, with the signs that stand on the last letter.
fn fitting(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (index, character) in text.char_indices() {
        used += columns(character.encode_utf8(&mut [0; 4]));
        if used > width {
            return index;
        }
    }
    text.len()
}

fn first_character(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Narrower than this, lines are left to the terminal.
const NARROWEST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_command_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\n"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert_eq!(printable("a\u{202e}b"), "a\u{fffd}b");
        assert_eq!(clipped("sip:alice@example.org", 8), "sip:ali…");
        assert_eq!(clipped("sip:a", 8), "sip:a");
    }

    #[test]
    fn columns_are_not_characters() {
        let greeting = "नमस्ते! मैं";
        assert!(columns(greeting) < greeting.chars().count());
        for text in [greeting, "你好世界你好世界", "plain and long enough"] {
            for width in 4..12 {
                assert_eq!(columns(&fixed(text, width)), width, "{text} in {width}");
            }
        }
    }

    #[test]
    fn lines_are_wrapped_at_words_and_indented() {
        let lines = wrapped("head  ", "one two three four five six", Some(26));
        assert_eq!(lines, ["head  one two three four", "      five six"]);
        assert_eq!(wrapped("head  ", "one  two", None), ["head  one  two"]);
        assert_eq!(wrapped("head", "", Some(30)), ["head"]);
    }

    #[test]
    fn what_has_no_spaces_is_broken_and_nothing_is_lost() {
        let text = format!("before {} after", "नमस्ते".repeat(20));
        for width in 0..60 {
            let lines = wrapped("  ", &text, Some(width));
            let widest = lines.iter().map(|line| columns(line)).max();
            assert!(widest <= Some(width.max(2 + NARROWEST)), "{width}: {lines:#?}");
            let joined: String = lines.concat().split_whitespace().collect();
            assert_eq!(joined, text.replace(' ', ""), "{width}");
        }
    }
}
