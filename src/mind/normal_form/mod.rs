//! Telephone numbers and e-mail addresses that a caller reads out, in the form in which a tool takes them: a model that puts one together from words
//! makes mistakes. What is not clear is left to the model.

mod digit_words;
mod email;
mod phone;

/// The caller's words with what is in them behind them, in brackets: `[phone: +919812345678]`, `[email: rahul.sharma@gmail.com]`.
pub(in crate::mind) fn with_normal_forms(text: &str) -> String {
    // Keys and the like are in a form of their own.
    if text.contains('[') {
        return text.to_owned();
    }
    let phones = phone::phones(text).into_iter().map(|phone| format!(" [phone: {phone}]"));
    let emails = email::emails(text).into_iter().map(|email| format!(" [email: {email}]"));
    phones.chain(emails).take(MOST).fold(text.to_owned(), |all, one| all + &one)
}

/// Nobody says more in one breath.
const MOST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, forms: &str) {
        let separator = if forms.is_empty() { "" } else { " " };
        assert_eq!(with_normal_forms(text), format!("{text}{separator}{forms}"));
    }

    #[test]
    fn telephone_numbers_of_both_languages() {
        for text in [
            "nine eight one two three four five six seven eight",
            "My number is 98123 45678.",
            "it is +91 98123-45678",
            "zero nine eight one two three four five six seven eight",
            "mera number nau aath ek do teen chaar paanch chhe saat aath hai",
            "मेरा नंबर है नौ आठ एक दो तीन चार पाँच छह सात आठ",
            "मेरा नंबर ९८१२३ ४५६७८ है",
            "अट्ठानवे बारह चौंतीस छप्पन अठहत्तर",
            "ninety eight twelve thirty four fifty six seventy eight",
            "number likh lo do nau aath ek do teen char panch che sat aath",
            "plus nine one nine eight one two three four five six seven eight",
        ] {
            check(text, "[phone: +919812345678]");
        }
        check("double nine triple eight seven six five four three", "[phone: +919988876543]");
        check("call me on +44 20 7946 0958 please", "[phone: +442079460958]");
        check("9812345678 or 9876543210", "[phone: +919812345678] [phone: +919876543210]");
    }

    #[test]
    fn addresses_of_both_languages() {
        for text in [
            "rahul dot sharma at gmail dot com",
            "My email is Rahul dot Sharma at gmail dot com.",
            "mera email hai rahul dot sharma at the rate gmail dot com",
            "rahul.sharma@gmail.com",
            "ईमेल है rahul डॉट sharma ऐट जीमेल डॉट कॉम",
            "r a h u l dot s h a r m a at g mail dot com",
        ] {
            check(text, "[email: rahul.sharma@gmail.com]");
        }
        check("asha at gmail dot com", "[email: asha@gmail.com]");
        check("my id is priya_n one two at yahoo dot co dot in", "[email: priya_n12@yahoo.co.in]");
        check("it's asha underscore k at outlook dot com", "[email: asha_k@outlook.com]");
    }

    #[test]
    fn what_is_not_clear_and_what_is_neither_is_left_alone() {
        for text in [
            "my order number is one two three four five six",
            "PIN code four one one zero zero one",
            "21 November 2026 ko do baje",
            "इक्कीस नवंबर को",
            "my name is Rahul Sharma",
            "one two three four five six seven eight nine zero",
            "nine eight one two three four five six seven double",
            "rahul sharma at gmail dot com",
            "look at this dot com",
            "राहुल डॉट शर्मा ऐट जीमेल डॉट कॉम",
            "rahul at gmail",
            "[keys pressed: 9812345678]",
            "",
        ] {
            check(text, "");
        }
    }

    #[test]
    fn both_at_once() {
        check(
            "call 9812345678 ya email to asha at shop dot in",
            "[phone: +919812345678] [email: asha@shop.in]",
        );
    }
}
