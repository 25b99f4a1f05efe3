//! What callers say: English, Hindi, and the mixture of both that is spoken in India. Hinglish is spoken by the Hindi voice, so it
//! stands here twice, as it is read out and as a recognizer writes it.

/// The language of a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tongue {
    English,
    Hindi,
    Hinglish,
}

/// Something to say; a `|` is where its speaker pauses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phrase {
    pub(super) tongue: Tongue,
    /// As the synthesizer reads it.
    pub(super) spoken: &'static str,
    /// As a recognizer writes it: as many parts, and any number of words in each.
    pub(super) written: &'static str,
}

const fn en(text: &'static str) -> Phrase {
    Phrase { tongue: Tongue::English, spoken: text, written: text }
}

const fn hi(text: &'static str) -> Phrase {
    Phrase { tongue: Tongue::Hindi, spoken: text, written: text }
}

const fn mix(spoken: &'static str, written: &'static str) -> Phrase {
    Phrase { tongue: Tongue::Hinglish, spoken, written }
}

/// Whole sentences without a pause.
pub(super) const SENTENCES: &[Phrase] = &[
    en("I want to cancel my order."),
    en("Can you tell me where my parcel is?"),
    en("The delivery was supposed to come yesterday."),
    en("Please change my address."),
    en("I would like to speak to a person."),
    en("My name is Ravi Kumar."),
    en("No, that is not what I ordered."),
    hi("मुझे अपना ऑर्डर कैंसल करना है।"),
    hi("मेरा पार्सल कहाँ है?"),
    hi("मुझे पैसे वापस चाहिए।"),
    hi("आप मुझे कल फोन कीजिए।"),
    hi("मैंने गलत पता लिख दिया था।"),
    hi("दुकान कितने बजे खुलती है?"),
    mix("मेरा रिफंड कब आएगा?", "mera refund kab aayega?"),
    mix("मुझे ऑर्डर का स्टेटस चाहिए।", "mujhe order ka status chahiye."),
    mix("डिलीवरी कल तक हो जाएगी क्या?", "delivery kal tak ho jaayegi kya?"),
    mix("मैं पेमेंट कर चुका हूँ।", "main payment kar chuka hoon."),
    mix("आपका ऐप काम नहीं कर रहा है।", "aapka app kaam nahi kar raha hai."),
    mix("मुझे मैनेजर से बात करनी है।", "mujhe manager se baat karni hai."),
    mix("नहीं, मुझे दूसरा साइज़ चाहिए।", "nahi, mujhe doosra size chahiye."),
];

/// Sentences whose speaker stops to think.
pub(super) const PAUSED: &[Phrase] = &[
    en("I want to know about the order | that I placed last week."),
    en("Can you please send it to | my office address?"),
    en("I ordered two shirts and | a pair of shoes."),
    en("The problem is that | the box was open."),
    en("I tried to pay but | the card was refused."),
    en("I need to | change the date of the delivery."),
    hi("मुझे अपने ऑर्डर के बारे में | जानकारी चाहिए।"),
    hi("मैंने पिछले हफ्ते एक | मोबाइल मंगाया था।"),
    hi("मुझे पैसे वापस चाहिए क्योंकि | सामान टूटा हुआ था।"),
    hi("आप इसे मेरे | घर के पते पर भेज दीजिए।"),
    hi("मैं कल दुकान गया था और | वहाँ कोई नहीं था।"),
    mix("मुझे रिफंड चाहिए क्योंकि | प्रोडक्ट खराब है।", "mujhe refund chahiye kyunki | product kharab hai."),
    mix(
        "मैंने ऑनलाइन पेमेंट किया था लेकिन | ऑर्डर नहीं दिख रहा।",
        "maine online payment kiya tha lekin | order nahi dikh raha.",
    ),
    mix("मेरा ऑर्डर | अभी तक नहीं आया।", "mera order | abhi tak nahi aaya."),
    mix("मुझे डिलीवरी का | टाइम बदलना है।", "mujhe delivery ka | time badalna hai."),
    mix("अगर आज नहीं आया तो | मैं कैंसल कर दूंगा।", "agar aaj nahi aaya toh | main cancel kar doonga."),
    mix("आप मुझे बताइए कि | रिफंड कब मिलेगा।", "aap mujhe bataiye ki | refund kab milega."),
    en("My address is | twelve Park Street in Pune."),
    en("I am calling about | a wrong bill."),
    hi("मेरा नाम | सुनीता शर्मा है।"),
];

/// What announces a number, and the number.
pub(super) const LEAD_INS: &[Phrase] = &[
    mix("मेरा ऑर्डर नंबर है | एक दो तीन चार", "mera order number hai | ek do teen chaar"),
    mix("हाँ मेरा नंबर है | नौ आठ सात छह पाँच", "haan mera number hai | nau aath saat chhe paanch"),
    mix("मोबाइल नंबर लिखिए | सात सात शून्य दो", "mobile number likhiye | saat saat shoonya do"),
    mix("ऑर्डर आईडी है | पाँच पाँच दो एक", "order ID hai | paanch paanch do ek"),
    en("My order number is | four seven one two"),
    en("The number is | nine eight double five"),
    en("Yes, it is | six zero three"),
    en("My phone number is | eight eight two one four"),
    hi("मेरा ऑर्डर नंबर है | तीन सात एक दो"),
    hi("पिन कोड है | चार एक एक शून्य"),
];

/// Digits in groups.
pub(super) const DIGITS: &[Phrase] = &[
    en("nine eight seven | six five four | three two one"),
    en("four one one | zero zero five"),
    en("one two | three four | five six | seven eight"),
    en("double seven | zero two | nine nine"),
    mix("नौ आठ सात | छह पाँच चार | तीन दो एक", "nau aath saat | chhe paanch chaar | teen do ek"),
    mix("एक दो | तीन चार | पाँच छह", "ek do | teen chaar | paanch chhe"),
    mix("आठ आठ | शून्य तीन | सात", "aath aath | shoonya teen | saat"),
    hi("पाँच पाँच दो | एक सात नौ"),
    hi("चार एक एक | शून्य शून्य तीन"),
    hi("छह सात | आठ नौ | एक"),
];

/// What stops an agent.
pub(super) const INTERRUPTIONS: &[Phrase] = &[
    en("No wait, that is not my order."),
    en("Stop, I want to talk to a person."),
    en("Excuse me, I have another question."),
    en("I already know that, tell me about the refund."),
    en("Hold on, please repeat the number."),
    en("That is wrong, my name is Ravi."),
    hi("रुकिए, मेरी बात सुनिए।"),
    hi("नहीं नहीं, मुझे वह नहीं चाहिए।"),
    hi("एक मिनट, मुझे कुछ और पूछना है।"),
    hi("मुझे यह पहले से पता है।"),
    hi("आप मेरी बात नहीं समझ रहे हैं।"),
    hi("बस कीजिए, मुझे पैसे वापस चाहिए।"),
    mix("रुको रुको, मुझे कुछ और चाहिए।", "ruko ruko, mujhe kuch aur chahiye."),
    mix("नहीं भैया, ऑर्डर नंबर दूसरा है।", "nahi bhaiya, order number doosra hai."),
    mix("मैनेजर से बात कराइए।", "manager se baat karaiye."),
    mix("अरे यह गलत एड्रेस है।", "are yeh galat address hai."),
    mix("सुनिए, मुझे कैंसल करना है।", "suniye, mujhe cancel karna hai."),
    mix("लेकिन मेरा पेमेंट हो गया है।", "lekin mera payment ho gaya hai."),
    mix("वेट, पहले मेरा सवाल सुनिए।", "wait, pehle mera sawaal suniye."),
    mix("अच्छा तो रिफंड कब मिलेगा?", "achha toh refund kab milega?"),
];

/// What a listener says who wants the agent to go on.
pub(super) const BACKCHANNELS: &[Phrase] = &[
    mix("हाँ", "haan"),
    mix("जी", "ji"),
    mix("हम्म", "hmm"),
    mix("अच्छा", "achha"),
    mix("ओके", "ok"),
    mix("हाँ जी", "haan ji"),
    mix("ठीक है", "theek hai"),
    hi("हाँ"),
    hi("अच्छा"),
    hi("जी"),
    en("yes"),
    en("okay"),
    en("right"),
    en("hmm"),
    en("uh-huh"),
];

/// The same said twice, or in several words: longer than much that stops an agent.
pub(super) const DOUBLED: &[Phrase] = &[
    mix("हाँ हाँ", "haan haan"),
    mix("जी जी", "ji ji"),
    mix("अच्छा अच्छा", "achha achha"),
    mix("हाँ हाँ ठीक है", "haan haan theek hai"),
    mix("हाँ जी हाँ जी", "haan ji haan ji"),
    mix("ओके ओके", "ok ok"),
    hi("हाँ हाँ"),
    hi("ठीक है ठीक है"),
    hi("जी हाँ जी"),
    en("okay okay"),
    en("yes yes"),
    en("right right"),
    en("yeah yeah okay"),
];

/// What goes on around a caller: nobody needs to understand it.
pub(super) const CHATTER: &[Phrase] = &[
    en(
        "We went to the market in the morning and bought some vegetables and then we met our old neighbour who has moved to \
        the other side of the city and he told us that the roads are closed because of the rain that fell on Sunday.",
    ),
    en(
        "The meeting has been moved to four and nobody told the people from the second floor so they are all waiting in the \
        small room with the broken fan while the coffee machine makes that noise again and someone should call the service.",
    ),
    hi("कल शाम को हम सब लोग स्टेशन गए थे लेकिन गाड़ी बहुत देर से आई और फिर बारिश शुरू हो गई तो हमने वहीं चाय पी और \
        बच्चों के लिए कुछ खाने का सामान खरीदा और रात को दस बजे घर पहुँचे।"),
    hi("दफ्तर में आज बहुत काम है क्योंकि महीने का आखिरी दिन है और सारे हिसाब आज ही पूरे करने हैं इसलिए मैं शायद देर से \
        आऊँगा और तुम लोग खाना खा लेना और दरवाज़ा अंदर से बंद कर लेना।"),
];
