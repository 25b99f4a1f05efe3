//! What a word at the end of a sentence says about whether more has to come: lists for Hindi, in both scripts, and English.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::tokens::fold;

/// What a word is, as far as the end of a sentence is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A finite verb. In Hindi it ends a sentence.
    Finite,
    /// An English verb that needs something behind it.
    Wants,
    /// An auxiliary or modal verb of English.
    Auxiliary,
    /// A verb form of Hindi that needs another verb: "karke", "raha", "sakta".
    HalfVerb,
    /// "karna".
    Infinitive,
    /// Joins two clauses, or begins one.
    Joins,
    /// A postposition of Hindi or a preposition of English.
    Place,
    /// A determiner or possessive.
    Owns,
    /// "this", "ye": may stand alone.
    Points,
    /// A subject: a verb has to follow.
    Subject,
    /// Says only that more comes.
    Filler,
    /// Asks.
    Asks,
    /// A whole answer or greeting by itself.
    Answer,
    /// Polite, and may stand behind any sentence.
    Tag,
    /// A pronoun behind a verb.
    Object,
    /// Has a value: "number", "naam".
    Slot,
}

/// The lists of one language.
#[derive(Debug)]
pub(super) struct Lexicon(BTreeMap<String, Kind>);

pub(super) static HINDI: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(HINDI_LISTS));
pub(super) static ENGLISH: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(ENGLISH_LISTS));

impl Lexicon {
    fn new(lists: &[(Kind, &str)]) -> Self {
        let words =
            lists.iter().flat_map(|(kind, list)| list.split_whitespace().map(|word| (fold(word), *kind)));
        let mut kinds = BTreeMap::new();
        for (word, kind) in words {
            // Two spellings may fold to one word; the earlier list counts.
            kinds.entry(word).or_insert(kind);
        }
        Self(kinds)
    }

    /// What `word` is, which must be folded.
    pub(super) fn kind(&self, word: &str) -> Option<Kind> {
        self.0.get(word).copied()
    }
}

/// A finite verb of Hindi by its ending: "karunga", "kijiye", "मिलेगा".
pub(super) fn has_finite_ending(word: &str) -> bool {
    let is_roman = word.is_ascii();
    let endings: &[&str] = if is_roman { &ROMAN_ENDINGS } else { &DEVANAGARI_ENDINGS };
    let least = if is_roman { 5 } else { 3 };
    word.chars().count() >= least && endings.iter().any(|ending| word.ends_with(ending))
}

/// A past form of English that no list has to know: "failed".
pub(super) fn has_past_ending(word: &str) -> bool {
    word.len() >= 5 && word.ends_with("ed")
}

const ROMAN_ENDINGS: [&str; 11] =
    ["unga", "ungi", "enge", "engi", "ega", "egi", "oge", "iega", "ijie", "aie", "ijiega"];
const DEVANAGARI_ENDINGS: [&str; 17] = [
    "ेगा",
    "ेगी",
    "ेंगे",
    "ेंगी",
    "ूंगा",
    "ूंगी",
    "ोगे",
    "ोगी",
    "ऊंगा",
    "ऊंगी",
    "एगा",
    "एगी",
    "एंगे",
    "िए",
    "िये",
    "इए",
    "इये",
];

const HINDI_LISTS: &[(Kind, &str)] = &[
    (
        Kind::Answer,
        "haan han haanji hanji hnji nahi nahin nai nhi theek thik tik sahi bilkul achha acha ok okay okey hello helo namaste namaskar \
         dhanyavaad dhanyavad dhanyawad shukriya alvida haanji zaroor jaroor pakka mat bas rehne \
         हां हा जी नहीं नही ठीक सही बिल्कुल बिलकुल अच्छा ओके हेलो हैलो नमस्ते नमस्कार धन्यवाद शुक्रिया अलविदा जरूर पक्का बस",
    ),
    (
        Kind::Tag,
        "na ji sir sar madam mam maam bhai bhaiya bhaiyya yaar please pliz plz plis thanks ना जी सर मैडम भाई भैया यार प्लीज प्लीज़ थैंक्स",
    ),
    (
        Kind::Finite,
        "hai hain he h tha thi thi thin the hoon hun hu hoga hogi honge ho gaya gayi gai gaye gye gya aaya aayi aaye aya ayi mila mili mile \
         diya diye di liya  li kiya kiye kia chahiye chahie chaiye chahiyen  karo kro dijiye dijie kijiye kijie lijiye batao \
         bataiye bataye bolo boliye suno suniye dekho dekhiye ruko rukiye bhejo bhejiye bhejie jao jaiye aao aaiye lao laiye hatao \
         badlo badaliye rakho rakhiye dikhao lagao  karwao karvao hua hui hue pahuncha pahunchi pohcha pohchi laga lagi lage \
          karunga karungi karenge karega karegi milega milegi aayega aayegi ayega ayegi jayega jayegi lagega lagegi dunga doge loge \
         dungi denge dega degi lunga lungi chalega chalegi chalo lo dedo kardo batado bhejdo karlo lelo hojayega  bola boli bataya \
         bheja bheji manga mangaya kharida toota tuti tuta kata likho likhiye likha likhi badla badli karu karun jau jaun dekhu batau \
         है हैं था थी थे थीं हूं हू हो होगा होगी होंगे गया गई गयी गए गये आया आई आयी आए आये मिला मिली मिले दिया दिए दिये दी लिया किया किए \
         किये चाहिए चाहिये करो दीजिए दीजिये कीजिए कीजिये लीजिए लीजिये बताओ बताइए बताइये बोलो बोलिए सुनो सुनिए देखो देखिए रुको रुकिए \
         भेजो भेजिए जाओ जाइए आओ आइए लाओ हटाओ बदलो रखो रखिए दिखाओ लगाओ करवाओ हुआ हुई हुए पहुंचा पहुंची लगा लगी लगे लो चलो बोला बोली \
         बताया भेजा भेजी मंगाया मंगवाया खरीदा टूटा टूटी कटा आऊं करूं दूं",
    ),
    (
        Kind::HalfVerb,
        "kar karke krke kr karte karta karti raha rahi rahe rha rhi rhe sakta sakti sakte skta skte chahta chahti chahte hoke hokar jaake \
         jakar leke lekar deke dekar bolke jata jati jate hota hoti hote milta milti milte aata aati aate lagta lagti de bhej bata le \
         करके कर करते करता करती रहा रही रहे सकता सकती सकते चाहता चाहती चाहते होकर जाकर लेकर देकर जाता जाती जाते होता होती होते मिलता मिलती \
         आता आती आते लगता लगती दे भेज बता ले",
    ),
    (
        Kind::Infinitive,
        "karna krna karwana karvana lena dena jana janna jaanna aana bhejna batana poochna puchna puchhna bolna badalna badalwana rakhna \
         mangana dekhna milna hona karni karne lene dene jane \
         करना करवाना लेना देना जाना जानना आना भेजना बताना पूछना बोलना बदलना बदलवाना रखना मंगाना देखना मिलना होना करनी करने लेने देने जाने",
    ),
    (
        Kind::Joins,
        "aur or lekin lekin magar  parantu kyunki kyonki kyuki kyunke kyoki ki agar toh to jab jo jise jisko jiska jiski jisne jinhone \
         ya phir fir isliye islie warna varna taaki taki balki jaise jabki joki tab jahan halanki chunki  \
         और लेकिन मगर परंतु क्योंकि कि अगर तो जब जो जिसे जिसको जिसका जिसकी जिसने या फिर इसलिए वरना ताकि बल्कि जैसे जबकि तब जहां हालांकि",
    ),
    (
        Kind::Place,
        "ka ke ko se mein me par pe tak liye lie ne  baad saath bare baare paas pass andar upar neeche niche taraf jagah bina siwa \
         का के की को से में पर पे तक लिए लिये ने बाद साथ बारे पास अंदर ऊपर नीचे तरफ जगह बिना",
    ),
    (
        Kind::Owns,
        "mera meri mere apna apni apne aapka aapki aapke hamara hamari hamare humara humari tumhara uska uski uske iska iski iske unka unki \
         unke is us in un koi ek kis kaunsa kaunsi konsa konsi har   thoda bahut \
         मेरा मेरी मेरे अपना अपनी अपने आपका आपकी आपके हमारा हमारी हमारे तुम्हारा उसका उसकी उसके इसका इसकी इसके उनका उनकी उनके इस उस इन उन \
         कोई एक किस कौनसा कौनसी हर बहुत",
    ),
    (Kind::Points, "ye yeh wo woh vo voh yah vah yehi wahi यह ये वह वो यही वही"),
    (
        Kind::Subject,
        "main mai hum ham aap tum mujhe muje mujhko humko hume hamein humein aapko aapne maine mene humne hamne usne unhone unhonne usko use \
         usse unko log logon मैं मै हम आप तुम मुझे मुझको हमको हमें आपको आपने मैंने मैने हमने उसने उन्होंने उसको उसे उससे उनको लोग",
    ),
    (
        Kind::Filler,
        "matlab mtlb yaani yani umm um uh uhm hmm hm er mm arre are aisa waisa vaisa   मतलब यानी यानि उम्म हम्म अरे ऐसा वैसा",
    ),
    (
        Kind::Asks,
        "kya kab kahan kaha kidhar kyun kyon kyu kaun kon kitna kitne kitni kaise kaisa kaisi \
         क्या कब कहां कहा किधर क्यों क्यूं कौन कितना कितने कितनी कैसे कैसा कैसी",
    ),
    (
        Kind::Slot,
        "naam nam number nambar numbar id address adress pata email mail otp pin pincode code account khata umar tarikh tareekh landmark birth \
         janmtithi janamtithi \
         नाम नंबर नम्बर आईडी एड्रेस पता ईमेल ओटीपी पिन पिनकोड कोड अकाउंट खाता उम्र तारीख जन्मतिथि लैंडमार्क",
    ),
    (Kind::Points, "yahi ab abhi"),
];

const ENGLISH_LISTS: &[(Kind, &str)] = &[
    (
        Kind::Answer,
        "yes yeah yep yup no nope nah ok okay sure right correct exactly absolutely definitely hello hi hey bye goodbye thanks thank alright \
         fine great perfect sorry pardon nothing none never cool done agreed true false welcome course maybe",
    ),
    (Kind::Tag, "please sir madam maam mam though then anymore now again too either else"),
    (
        Kind::Owns,
        "the a an my your our their his her every each no another any some more these those which whose",
    ),
    (Kind::Points, "this that"),
    (Kind::Object, "me you it him them us mine yours"),
    (
        Kind::Joins,
        "and but or because cause since if unless until while although whereas so than whether whenever wherever plus therefore however \
         ",
    ),
    (
        Kind::Place,
        "to of for from with at by on in into onto about without between during through against under over near behind before after until \
         towards via per except like regarding",
    ),
    (
        Kind::Auxiliary,
        "is are was were am be been being do does did have has had will would can could should shall may might must im ive ill youre youve \
         its theyre weve wont cant dont doesnt didnt isnt arent wasnt werent havent hasnt hadnt couldnt wouldnt shouldnt whats wheres hows gonna \
         wanna gotta thats theres hes shes",
    ),
    (
        Kind::Wants,
        "want need wanted needed like think thought say said says saying get getting got make made take give gave tell told ask asked trying \
         tried try let lets send buy bought find found bring put keep calling wondering looking asking hoping mean means means having using \
         wants needs ",
    ),
    (
        Kind::Finite,
        "cancel cancelled canceled  ordered come came comes coming arrive arrived arrives work works worked working go goes went going help \
         call called change changed return returned refund refunded pay paid pays charge charged deliver delivered track check checked \
         see saw know knew talk speak speaking wait stop start open closed close hold broke broken happen happened receive received update \
         understand remember forgot forget wait believe agree live lives stay book booked repeat cost costs look looks sounds sound keep \
         hang love hate use used ship shipped explain confirm connect transfer leave left lost show shows expect expected care hear",
    ),
    (Kind::Subject, "i he she we they"),
    (Kind::Filler, "umm um uh uhm er erm hmm hm mm basically actually well anyway literally very just"),
    (Kind::Asks, "what where when why who how whom"),
    (
        Kind::Slot,
        "name number id address email mail otp pin pincode code password account zip birthday birth age extension landmark reference",
    ),
];

/// Verbs that take "up", "off" and their like to their end.
pub(super) const PARTICLE_VERBS: &[&str] = &[
    "pick", "hang", "come", "go", "hold", "log", "turn", "turned", "cut", "svitch", "cal", "get", "give",
    "sign", "shut", "back", "came", "vent", "pas", "send", "find", "going", "vork", "set", "figure", "drop",
    "break", "run", "check", "loged", "move", "coming",
];
/// These.
pub(super) const PARTICLES: &[&str] =
    &["up", "of", "back", "out", "dovn", "in", "on", "over", "through", "by"];
/// Stems before "do" and "lo": "cancel kar do".
pub(super) const STEMS: &[&str] = &[
    "kar",
    "de",
    "bhej",
    "bata",
    "laga",
    "hata",
    "badal",
    "bol",
    "dila",
    "likh",
    "chod",
    "rakh",
    "ruk",
    "le",
    "kara",
    "karva",
    "dikha",
    "bana",
    "nikal",
    "band",
    "mila",
    "jane",
    "rehne",
    "kr",
    "कर",
    "दे",
    "भेज",
    "बता",
    "लगा",
    "हटा",
    "बदल",
    "बोल",
    "दिला",
    "लिख",
    "छोड",
    "रख",
    "ले",
    "करा",
    "करवा",
    "दिखा",
    "बना",
    "निकाल",
    "मिला",
    "जाने",
    "रहने",
];
/// Auxiliary verbs that leave the meaning to another verb.
pub(super) const HELPERS: &[&str] =
    &["vil", "vould", "can", "could", "do", "does", "did", "should", "shal", "may"];
/// "Tell me" what.
pub(super) const GIVERS: &[&str] = &["let", "lets", "tel", "give", "shov", "get"];
/// "That" behind them begins a clause.
pub(super) const SAYERS: &[&str] = &[
    "said",
    "say",
    "says",
    "saying",
    "told",
    "tel",
    "think",
    "thought",
    "knov",
    "nev",
    "knev",
    "hope",
    "believe",
    "si",
    "understand",
];
/// These stand right behind their verb.
pub(super) const CLOSE_PARTICLES: &[&str] = &["in", "on", "by", "over", "through", "of"];
/// What is numbered, and read out digit by digit.
pub(super) const NUMBERED: &[&str] = &[
    "number",
    "nambar",
    "id",
    "acount",
    "tracking",
    "reference",
    "otp",
    "pin",
    "pincode",
    "code",
    "order",
    "नंबर",
    "नम्बर",
    "आईडी",
    "ओटीपी",
    "पिन",
    "पिनकोड",
    "कोड",
    "ऑर्डर",
];
/// Who wishes "karna" has yet to say "hai".
pub(super) const WISHERS: &[&str] =
    &["mujhe", "muje", "hume", "humko", "mujhko", "hamein", "मुझे", "हमें", "मुझको"];
/// Who is asked to write or to listen waits for what comes now. In Hindi behind what is written: "number likhiye".
pub(super) const DICTATED: &[&str] =
    &["likho", "likhie", "likhiega", "note", "suno", "sunie", "लिखो", "लिखिए", "लिखिये", "नोट", "सुनो", "सुनिए"];
/// The same as stems, with a verb that ends the sentence: "likh lijiye", "note kar lo", "सुन लीजिए".
pub(super) const DICTATED_STEMS: &[&str] = &["likh", "note", "save", "sun", "लिख", "नोट", "सेव", "सुन"];
/// What such stems end with.
pub(super) const REQUESTS: &[&str] = &[
    "kar",
    "karo",
    "karie",
    "karna",
    "kijie",
    "lo",
    "le",
    "lijie",
    "do",
    "dijie",
    "lena",
    "dena",
    "lijiega",
    "kijiega",
    "कर",
    "करो",
    "करिए",
    "कीजिए",
    "करना",
    "लो",
    "लीजिए",
    "दो",
    "दीजिए",
    "लेना",
    "देना",
    "लीजिएगा",
];
/// Who says that he tells it tells it now: "number bata raha hoon", "deta hoon".
pub(super) const TELLERS: &[&str] = &[
    "bata",
    "batata",
    "batati",
    "bol",
    "bolta",
    "bolti",
    "de",
    "deta",
    "deti",
    "likhvata",
    "likhvati",
    "likhva",
    "बता",
    "बताता",
    "बताती",
    "बोल",
    "बोलता",
    "बोलती",
    "दे",
    "देता",
    "देती",
    "लिखवाता",
    "लिखवाती",
    "लिखवा",
];
/// "I am": behind a teller, with or without "raha".
pub(super) const SELVES: &[&str] = &["hun", "hu", "raha", "rahi", "rha", "rhi", "हूं", "हू", "रहा", "रही"];
/// Small words between what is told and that it is.
pub(super) const BETWEEN: &[&str] = &[
    "ko",
    "bhi",
    "main",
    "mai",
    "ap",
    "apko",
    "zara",
    "jara",
    "ek",
    "abhi",
    "को",
    "भी",
    "मैं",
    "आप",
    "आपको",
    "जरा",
    "एक",
    "अभी",
];
/// "I'm", "it's": never at the end of what is said to its end.
pub(super) const CONTRACTIONS: &[&str] = &[
    "its", "im", "ive", "il", "youre", "youve", "theyre", "veve", "thats", "theres", "hes", "shes", "vhats",
    "vheres", "hovs",
];
/// English: "note my number", "write down the address".
pub(super) const NOTERS: &[&str] = &["note", "vrite", "take"];
/// "Nahi" behind them is a whole answer: "kuch nahi", "koi baat nahi".
pub(super) const DENIED: &[&str] =
    &["kuch", "koi", "bat", "abhi", "bilkul", "aisa", "कुछ", "कोई", "बात", "अभी", "बिल्कुल", "ऐसा"];
/// "Nahi".
pub(super) const DENIALS: &[&str] = &["nahi", "nahin", "nai", "nhi", "नहीं", "नही"];
/// Clauses that prepare another one.
pub(super) const OPENERS: &[&str] =
    &["agar", "jab", "jo", "jise", "jaise", "jisne", "अगर", "जब", "जो", "जैसे", "जिसने"];
/// Which begins so.
pub(super) const ANSWERERS: &[&str] =
    &["to", "toh", "tab", "vo", "voh", "us", "use", "usko", "तो", "तब", "वो", "वह", "उसे", "उसको"];
/// How participles of Hindi end.
pub(super) const PARTICIPLE_ENDINGS: &[&str] =
    &["ta", "ti", "te", "ha", "hi", "he", "ता", "ती", "ते", "हा", "ही", "हे"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_spelling_that_is_looked_up() {
        let lists = [HELPERS, GIVERS, SAYERS, CLOSE_PARTICLES, NUMBERED, WISHERS, OPENERS, ANSWERERS];
        let announcements = [
            DICTATED,
            DICTATED_STEMS,
            REQUESTS,
            TELLERS,
            SELVES,
            BETWEEN,
            NOTERS,
            DENIALS,
            DENIED,
            CONTRACTIONS,
        ];
        let others = [PARTICLE_VERBS, PARTICLES, STEMS].into_iter().chain(announcements);
        for word in lists.into_iter().chain(others).flatten() {
            assert_eq!(fold(word), *word);
        }
    }
}
