"""Random values for the slots of the phrases: prices, dates, codes, names, products, in each language's forms.

Nothing here is real: streets, codes, telephone numbers and addresses on the net are put together at random, so that a
model can know none of them and has to copy.
"""

from random import Random

from models import Language
from models.training.phrases import Phrases

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ne",
    "ru",
    "sa",
    "te",
    "vi",
    "po",
    "ha",
    "ju",
    "ro",
    "ti",
    "ko",
    "la",
    "me",
    "ni",
    "su",
)
_NAMES_EN = ("Anna", "Tom", "Priya", "James", "Sofia", "Liam", "Grace", "Omar", "Ella", "Ben", "Maya", "Jack", "Ruth")
_NAMES_FI = ("Anna", "Jukka", "Liisa", "Mikko", "Aino", "Sari", "Ville", "Noora", "Pekka", "Elina", "Timo", "Kaisa")
_CITIES_EN = ("Leeds", "Cork", "Bristol", "Tampere", "Oslo", "Dundee", "Helsinki", "York", "Turku", "Bergen", "Cardiff")
_CITIES_FI = (
    ("Tampere", "Tampereella"), ("Turku", "Turussa"), ("Oulu", "Oulussa"), ("Helsinki", "Helsingissä"),
    ("Kuopio", "Kuopiossa"), ("Lahti", "Lahdessa"), ("Vaasa", "Vaasassa"), ("Pori", "Porissa"), ("Espoo", "Espoossa"),
    ("Jyväskylä", "Jyväskylässä"), ("Rovaniemi", "Rovaniemellä"), ("Joensuu", "Joensuussa"), ("Kotka", "Kotkassa"),
)  # fmt: skip
_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAYS_FI = ("maanantai", "tiistai", "torstai", "perjantai", "lauantai", "sunnuntai")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November")
_METHODS = ("MobilePay", "PayPal", "Apple Pay", "Klarna", "Walley", "Google Pay", "Swish")
_METHODS_EN = (*_METHODS, "bank transfer", "gift card", "wood", "cotton", "milk", "soy", "wool", "glass")
_CARRIERS = (
    "Posti",
    "Kuriiri",
    "Linjapaketti",
    "FastPost",
    "Swiftline",
    "Parcelo",
    "Matkapaketti",
    "Norlog",
    "Bring-It",
)
_STREETS_EN = ("Mill", "High", "Station", "Park", "Queen", "Bridge", "Church", "Garden", "King", "Orchard", "Canal")
_STREETS_FI = ("Kuusi", "Asema", "Ranta", "Puisto", "Koulu", "Tehtaan", "Kirkko", "Mylly", "Kanava", "Satama", "Lehto")


def code(rng: Random) -> str:
    """Return an invented code such as "KX-4071" or "SUMMER15"."""
    kind = rng.randrange(4)
    letters = "".join(rng.choices(_LETTERS, k=rng.randint(1, 4)))
    digits = "".join(rng.choices("0123456789", k=rng.randint(2, 6)))
    if kind == 0:
        return f"{letters}-{digits}"
    if kind == 1:
        return letters + digits
    if kind == 2:
        return pseudo_word(rng).upper() + digits[:2]
    return f"{letters}{digits[:2]}-{digits[::-1]}"


def pseudo_word(rng: Random) -> str:
    """Return two to four syllables that mean nothing."""
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))


def url(rng: Random) -> str:
    """Return an invented address on the net, of a domain with or without a path."""
    path = rng.choice(("", "", "/returns", "/help", "/palautus", "/tilaus", "/oma", f"/{pseudo_word(rng)}"))
    host = pseudo_word(rng) + rng.choice(("", "", pseudo_word(rng), "-" + pseudo_word(rng)))
    return rng.choice(("", "", "www.", "https://")) + host + rng.choice((".fi", ".com", ".example", ".net")) + path


def _email(rng: Random) -> str:
    user = rng.choice(("info", "help", "service", "asiakaspalvelu", "returns", "tuki", pseudo_word(rng)))
    return f"{user}@{pseudo_word(rng)}{rng.choice(('.fi', '.com', '.example'))}"


def _phone(rng: Random) -> str:
    digits = [str(rng.randrange(10)) for _ in range(9)]
    a, b, c = "".join(digits[:3]), "".join(digits[3:6]), "".join(digits[6:])
    return rng.choice(
        (f"0{a[:2]} {b} {c}", f"+358 {a[:2]} {b} {c}", f"0{a} {b} {c}", f"020 {b}{c[:1]}", f"0{a[:1]} {b}{c}")
    )


def _time(rng: Random, language: Language, first: int, last: int) -> str:
    hour, minute = rng.randint(first, last), rng.choice((0, 0, 0, 30, 15, 45))
    if language == "fi":
        return f"{hour}" if minute == 0 and rng.random() < 0.5 else f"{hour}.{minute:02d}"
    if rng.random() < 0.5:
        return f"{hour}:{minute:02d}"
    return f"{(hour - 1) % 12 + 1}{'' if minute == 0 else f':{minute:02d}'} {'am' if hour < 12 else 'pm'}"


def _price(rng: Random, language: Language) -> str:
    euros, cents = (
        rng.choice((rng.randint(1, 9), rng.randint(10, 99), rng.randint(100, 999))),
        rng.choice((0, 90, 95, 50)),
    )
    if language == "fi":
        number = f"{euros}" if cents == 0 else f"{euros},{cents:02d}"
        return f"{number} {rng.choice(('€', '€', 'euroa'))}"
    number = f"{euros}" if cents == 0 else f"{euros}.{cents:02d}"
    return rng.choice((f"€{number}", f"€{number}", f"{number} euros", f"£{number}", f"${number}"))


def _date(rng: Random, language: Language) -> str:
    day, month = rng.randint(1, 28), rng.randrange(11)
    if language == "fi":
        return f"{day}.{month + 1}." + rng.choice(("", "", str(rng.randint(2024, 2029))))
    return rng.choice((f"{_MONTHS[month]} {day}", f"{day} {_MONTHS[month]}", f"{day} {_MONTHS[month][:3]}"))


def fill(rng: Random, language: Language, product: str) -> dict[str, str]:
    """Return a value for every slot; `product` is a line of branches.toml. Draw anew for each sentence."""
    values = {
        "n": str(rng.randint(2, 6)), "n2": str(rng.randint(6, 48)), "percent": f"{rng.randint(1, 19) * 5}",
        "days": str(rng.choice((3, 5, 7, 10, 14, 20, 21, 28, 30, 45, 60, 90, 100))), "code": code(rng), "url": url(rng),
        "email": _email(rng), "phone": _phone(rng), "time": _time(rng, language, 7, 11),
        "time2": _time(rng, language, 14, 21), "date": _date(rng, language), "price": _price(rng, language),
        "price2": _price(rng, language), "price3": _price(rng, language), "carrier": rng.choice(_CARRIERS),
        "order": rng.choice((str(rng.randint(1000, 9999999)), code(rng))),
    }  # fmt: skip
    if language == "en":
        one, many = product.split("/")
        values |= {
            "p": one, "p_s": many, "p_cap": many, "percent": values["percent"] + "%",
            "weekday": rng.choice(_WEEKDAYS_EN),
            "name": rng.choice(_NAMES_EN), "city": rng.choice(_CITIES_EN), "method": rng.choice(_METHODS_EN),
            "method2": rng.choice(_METHODS_EN), "street": f"{rng.randint(1, 150)} {rng.choice(_STREETS_EN)} Street",
        }  # fmt: skip
        return values
    city, city_in = rng.choice(_CITIES_FI)
    weekday, method = rng.choice(_WEEKDAYS_FI), rng.choice(_METHODS[:3])
    values |= dict(zip(("p", "p_n", "p_a", "p_t", "p_ia"), product.split("/"), strict=True))
    values |= {
        "percent": values["percent"] + " %", "wd": weekday, "wd_na": weekday + "na", "wd_isin": weekday + "sin",
        "wd_ksi": weekday + "ksi", "name": rng.choice(_NAMES_FI), "city": city, "city_in": city_in,
        "street": f"{rng.choice(_STREETS_FI)}{rng.choice(('katu', 'tie', 'kuja'))} {rng.randint(1, 99)}",
        "method": method, "method_lla": method + "lla" if method != "Apple Pay" else "Apple Paylla",
        "method_n": method + "n",
    }  # fmt: skip
    return values


def brand(rng: Random, phrases: Phrases, language: Language) -> str:
    """Return an invented brand; every second one is of the other language's kind, as brands are."""
    if rng.random() < 0.3:
        return pseudo_word(rng).capitalize() + rng.choice(("", " Oy", " Ltd", ".fi", " Shop"))
    if (language == "fi") == (rng.random() < 0.8):
        return rng.choice(phrases.brands["fi_first"]) + rng.choice(phrases.brands["fi_last"])
    return f"{rng.choice(phrases.brands['en_first'])} {rng.choice(phrases.brands['en_last'])}"
