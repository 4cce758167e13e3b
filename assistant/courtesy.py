"""Which sentences assert nothing: greetings, thanks, apologies, offers of help, questions back.

Conservative, since such a sentence needs no evidence: every clause must be built as one of the known forms, and may
name only what the customer or a passage has named. "I'm sorry that returns are not possible" is a claim.
"""

import re

from assistant.facts import facts
from assistant.words import content_words, is_known

_LONGEST = 30  # words; a courtesy is short

_CLAUSES = re.compile(
    r"[,;:!–—]+\s*|\s(?=(?:and|but|so|ja|mutta|joten)\s)|\s(?=(?:if|when|that|jos|että|ettei|kun|jotta|kunnes)\s)"
)
_JOINER = re.compile(r"(?:and|but|so|then|ja|mutta|joten|sekä|niin|also|too)\s+")
_SUBORDINATE = re.compile(
    r"(?:if|when|that|until|how|what|where|as soon as|because|since|while|"
    r"jos|että|ettei|kun|jotta|kunnes|miten|mitä|missä|kuinka|jota|joita|vaikka)\b"
)

_WARM = r"(?:nice|lovely|great|good|kind|wonderful|fantastic|happy|pleasant|glad|pleased|delighted|sunny)"
_BAD = (
    r"(?:annoying|frustrating|confusing|tiresome|disappoint\w*|unpleasant|tricky|puzzling|urgent|unclear|hard|sad|fun)"
)
_HEADS = (
    r"(?:oh|ah)?\s*(?:no|dear|hi|hello|hey|yes|sure|certainly|absolutely|naturally|of course|ok|okay)\b$",
    r"(?:hi|hello|dear|hei|moi|hyvä)\s[\w'’-]+$",
    r"(?:once (?:more|again) |again |many |warm |a big |oh )*(?:thank|thanks)\b",
    r"(?:i'm|i am|we're|we are|once (?:more|again)|oh|so|very|truly|really|terribly|again|\s)*sorry\b",
    r"(?:my |our |please accept (?:my|our) )?(?:sincere )?apolog\w+",
    r"(?:i|we) (?:(?:completely|fully|really|truly|can|do|very well|well)\s)*(?:understand|see|hear|appreciate|hope|know)\b",
    r"(?:i'm|i am|we're|we are|it's|it is|that's|\s)*(?:(?:so|very|always|really|truly|just|a|such)\s)*"
    rf"{_WARM}\b",
    r"(?:we|i) (?:are|am) (?:always )?here\b|(?:we're|i'm) (?:always )?here\b",
    r"(?:i|we)(?:'ll| will| can| would| want to|'d)?\s?(?:be |gladly |happily |always |like to |love to |do our best to )*"
    r"(?:help|happy|glad|explain|try|put this right|make (?:this|it)|tell you|checked this|take care|pass (?:it|them|this))",
    r"let(?: me|'s| us)\b(?! not)",
    r"(?:please |just |feel free to |(?:please )?don't hesitate to |do )*"
    r"(?:write|reply|ask|let (?:me|us) know|tell (?:me|us)|get (?:back )?in touch|contact (?:me|us)|reach out|message (?:me|us))\b",
    r"(?:have|enjoy|wishing you|i wish you|we wish you)\b.*\b(?:day|weekend|evening|week|time|morning|christmas)",
    r"(?:how|what an?)\b.{0,30}\b(?:nice|lovely|kind|annoying|pity|shame|disappointment|disappointing|message)\b",
    r"no (?:worries|problem|wonder|trouble)\b|not to worry\b|don't worry\b|never mind\b|it is no wonder|it's no wonder",
    r"(?:you're|you are) (?:very |most )?welcome\b|my pleasure\b|it's (?:a|my) pleasure",
    r"(?:this|that|it) (?:(?:must|can|is|has|sounds|feels|have|been|be|a|bit|little|really|truly|so|not|easy)\s)*"
    rf"(?:{_BAD}|how it should go|made our day|sounds)\b",
    r"here(?: is|'s| are) (?:how it works|the (?:information|answer|details)|what you need|your answer|the simple|it is)",
    r"(?:i )?hope (?:this|that|it)\b",
    r"(?:your message|your feedback)\b.*\b(?:day|smile|happy)",
    r"you have every (?:reason|right)\b|you deserve\b",
    r"(?:kind|warm|best) regards|see you",
    # Finnish
    r"(?:oi|voi)\s?(?:ei|harmi|että|voi)?$|voi (?:ei|harmi|miten|kun)\b|(?:kyllä|toki|tottakai|totta kai|tietysti|tietenkin|ilman muuta)$",
    r"(?:vielä kerran |lämmin |lämpimät |suuri |iso |paljon |sydämellinen |oi )*kiito\w+|kiit(?:os|än|ämme)\b",
    r"(?:vielä kerran |suuret |kovasti |vilpittömät )*pahoittelu\w*|pahoittele\w*|anteeksi\b",
    r"(?:me |minä )?(?:olen|olemme)\s(?:(?:todella|kovasti|hyvin|aidosti|erittäin|tosi|tästä)\s)*(?:pahoilla|iloi)\w+",
    r"(?:on|onpa|tosi|kovin|todella|kuulostaa|voi|ihan|se on|tämä on|\s)*(?:harmi\w*|ikävä\w*|kurja\w*|turhauttava\w*|valitettava\w*)",
    r"(?:minä |me )?(?:ymmärrän|ymmärrämme|huomaan|tiedän|toivon|toivomme|arvostan|arvostamme)\b|toivottavasti\b",
    r"(?:onpa|olipa|tosi|todella|oikein|on|\s)*(?:mukava|kiva|ihana|hieno|mahtava|ilo|hauska|upea|hyvä|iloinen)\w{0,3}\b",
    r"ei (?:hätää|huolta|se mitään|ihme|haittaa)\b|eipä kestä\b|ole(?:pa)? hyvä\b|olkaa hyvä\b",
    r"(?:mielelläni |mielellämme )?(?:autan|autamme|kerron|selitän|selvennän|neuvon|yritän|vastaan|selvitän|tarkistin|välitän)\b",
    r"(?:autan|autamme)?\s?(?:mielelläni|mielellämme)$",
    r"(?:ole(?:than)? |ihmeessä |vain )*(?:laita|laitathan|kirjoita|kysy|kerro|kerrothan|ota|otathan|palaa|vastaa|viestittele)\b",
    r"(?:selvitetään|katsotaan|hoidetaan|käydään|korjataan|laitetaan)\b",
    r"(?:oikein )?(?:mukavaa|hyvää|ihanaa|aurinkoista|kaunista|leppoisaa|iloista)\b.*(?:päiv|viikonlop|jatko|ilta|viikko|kevä|kesä|syksy|talv)\w*",
    r"tässä (?:tieto|tiedot|vastaus|ohje|ohjeet|asia)\b|näin se (?:menee|käy|toimii|sujuu)",
    r"(?:viestisi|palautteesi|sanasi)\b.*(?:ilahdut|hymy|mieltä)\w*|tästä tuli hyvä mieli",
    r"(?:tämä|tässä|asia) (?:voi|menee|on)\b.*(?:hämment|sekai|sekava|konstik|epäsel)\w*",
    r"sinulla on täysi (?:syy|oikeus)\b|ansaitset\b|näin ei (?:pitäisi|saisi)\b|tämä ei mennyt\b",
    r"(?:olemme|olen) (?:täällä|apuna|tukena)\b|tervetuloa\b",
    r"(?:ystävällisin|parhain|lämpimin|mukavin) terveisin",
)
_HEAD = re.compile("|".join(f"(?:{head})" for head in _HEADS))
_ASKS = re.compile(
    r"(?:and |ja )?(?:could|would|can|may|did|do|does|have|has|is|are|was|were|which|what|when|where|how|who)\b.*\b(?:you|your|i|we)\b"
    r"|(?:\w+(?:sitko|sitkö|tko|tkö|nko|nkö|mmeko|mmekö)|onko|oliko|mikä|minkä|mitä|missä|milloin|mihin|kuinka|miten|kenelle)\b"
)
# What turns a courtesy into a rule, a promise or a price, whoever used the word before.
_CLAIM = re.compile(
    r"\b(?:(?<!feel )free|possible|impossible|allowed|forbidden|available|unavailable|guarantee\w*|promise\w*|compensat\w*|must (?!have been)|"
    r"cannot|can't|always (?!happy|glad|here|nice)|never (?!mind)|within|until further|accept\w*|offer\w*|sell\w*|sold|ship|ships|"
    r"we (?:don't|do not|won't|will not|cannot|can't|accept|offer|sell|refund|send|deliver|ship|return|replace)|"
    r"(?:be|get|gets|will be|been) (?:refunded|compensated|replaced|delivered)|returns? (?:is|are)|"
    r"mahdollis(?!uu)\w*|mahdoton\w*|sallit\w*|kiellet\w*|saatavilla|takuu\w*|lupaa\w*|lupaan|hyvitämme|hyvitetään|korvaamme|"
    r"korvataan|ilmai\w*|maksut\w*|veloituksetta|täytyy|emme|tarjoamme|myymme|lähetämme|palautamme|toimitamme|"
    r"saat|voit|voidaan|you (?:can|may|will|get|must)|ei voi|aina (?!mielel|mukava))\b"
)
# Words of courtesy and of what goes amiss between a customer and a shop: they bring in nothing new.
_VOCABULARY = frozenset(
    """
thank thanks sorry apology apologise message question touch asking ask contact writing write wrote tell told
letting know help happy glad pleased delighted hear heard word feedback kind praise trouble bother inconvenience
hassle worry waiting waited patience wrong right happen hope understand understanding upset frustrated
frustration annoyed annoying disappointed disappointment angry reason deserve expect experience clear unclear
explain confusing confused mixed mix-up tricky puzzled puzzling anything something nothing everything further
lovely nice great good wonderful reply answer quickly hurry urgent solved solve sort sorted smile patient
mistake mess care pity shame disappoint late delay hesitate struggling struggle twice again believe wasted
fright surprise tiresome unpleasant awful hard difficult fussy fun easy missing lost broken damaged failing
failed spoiled guessing crossed idea wish welcome pleasure discouraging interested smoothly reassure curious
fault oversight kiitos kiittää viesti kysymys kysyä kysyit kysyttävää yhteyttä yhteydenotto otit kirjoittaa
kirjoitit kertoa kerroit palaute pahoittelut pahoillani pahoillamme pahoittelemme harmi harmia harmista
harmittaa harmillista harmistuksesi vaiva vaivaa ikävä ikävää kurja turhauttavaa tilanne tapahtunut
tapahtuneesta asia asian asiat mennyt meni menee käydä käynyt ymmärrän ymmärtää syy odottaa odottanut odottamaan
odottelu odottaminen auttaa autan apua avuksi mielelläni mielellämme mietityttää mietitytti askarruttaa epäselvä
epäselväksi rohkeasti uudestaan uudelleen nopeasti kiire pian mukavaa hyvää ihanaa aurinkoista kuulla sanoistasi
kaunis kehuista porukalle tiimille ilahduttaa hymyillä mieli tarvitset tieto tiedot vastaus vastata selvittää
selvitän selkeästi selventää selvensi selitän selittää hämmentää hämmentävää sekaisin sekava konstikas helppo
helposti kuntoon kunnossa hoitaa hoidetaan korjata korjaamme pettymys ansaitset kärsivällisyys jaksat ratkennut
kesken kahdesti samasta tyytyväinen tykkäät kiva hieno mahtava ilo upea hauska tervetuloa terveisin ystävällisin
toivottavasti toivoa toivon virhe sekaannus hankala hankalaa hankaluus vaikea säikäyttää yllätys huoli huolta
hermot turhaan myöhässä rikki hajosi kadonnut katosi väärä puuttui hukassa epäonnistui kiinnostaa huomaan
tarkkana valitettavasti vahinko
""".split()  # noqa: SIM905
)
# Words that may stand beside them but make nothing a courtesy.
_PLAIN = frozenset(
    """
oh dear get come came go goes went gone make made feel felt need want try best way thing step simple version
else other day days weekend evening back away once time little long short find found put let down caused extra
work bit matter case situation information details team whole pass story reach reaching out any whenever like
liked love check checked look looking start mind enjoy taking take took private fix fixed chance bearing bear
first directly big warm regards service customer meant yourself myself send sending moment give gave second
another things see saw seen show point run running keep kept left lot always until through after before carried
turned done much too next far whatever colleague colleagues certain sure together everyone lisää muuta muissa
jotain jokin jotenkin mikään heti vähän päivää päivänjatkoa viikonloppua iltaa aika aikaa jäi jää kaikki
joutunut joudut jouduit täysi täysin sanoin tuli tullut tulee tulit saatu saada onnistua tarvita löytää löytyy
tässä yhdessä läpi vaihe vaiheelta yksinkertaisesti toimi toimii palvelu parempaa kanssamme annat antanut
jatkunut pitkään vieläkään edelleen yhä sama kerran taas ensin pidit mukana suoraan eteenpäin ongelma tuntua
tuntui teemme parhaamme järjestyy kävi sattui osaltamme puolestamme yksityisviesti tarkemmin muutamalla sanalla
totta kai miten ettei ettet etteivät onpa olipa todella kovasti paljon liikaa lopussa ensimmäinen hetki välitän
haluan haluamme haluat tietää tiedän täällä aina laita kunnes paikka lämmin lämpimästi sinusta sinut meidät
mitään yritän kokemaan kokea tällaista toiste tarkistin tarkistan tarkistaa katsotaan tavoittaa työkavereiltani
palaan vastauksen varmasti ollutkaan tietenkin näin sopiva ylimääräinen
""".split()  # noqa: SIM905
)


def is_courtesy(sentence: str, named: frozenset[str] = frozenset()) -> bool:
    """Return whether a sentence asserts nothing; `named` are the content words of the customer and the passages.

    A sentence with a fact in it never does.
    """
    text = " ".join(sentence.casefold().replace("’", "'").split())
    if not any(sign.isalpha() for sign in text):
        return not facts(sentence)
    if len(text.split()) > _LONGEST or facts(sentence) or _CLAIM.search(text):
        return False
    if text.rstrip(' )"”').endswith("?") and _ASKS.match(text):
        return _says_nothing_new(text, named)
    rest = _beyond_courtesies(text.rstrip(".!?… "))
    return rest is not None and _says_nothing_new(rest, named)


def _says_nothing_new(text: str, named: frozenset[str]) -> bool:
    """Return whether a text, its courteous beginnings taken off, speaks of what was named, and not of that alone.

    "I'm sorry | the café is closed" has nothing but the café: a claim. "I'm sorry | your parcel is late" is none.
    """
    rest = content_words(text)
    beside = [word for word in rest if not is_known(word, _VOCABULARY)]
    about = [word for word in beside if word not in _PLAIN]
    return all(is_known(word, named) for word in about) and (not about or len(beside) < len(rest))


def _beyond_courtesies(text: str) -> str | None:
    """Return what the clauses say beyond their courteous beginnings; None where a clause is no courtesy.

    Each clause must be a courtesy, or depend on one: before it ("If …, just ask") or after it.
    """
    courteous = pending = False
    rest: list[str] = []
    for part in _CLAUSES.split(text):
        clause = _JOINER.sub("", part.strip(" .!?…()\"”'"), count=1)
        if not any(sign.isalpha() for sign in clause):
            continue
        if head := _HEAD.match(clause):
            courteous, pending = True, False
            rest.append(clause[head.end() :])
        elif _SUBORDINATE.match(clause):
            pending = pending or not courteous
            rest.append(clause)
        else:
            return None
    return " ".join(rest) if courteous and not pending else None
