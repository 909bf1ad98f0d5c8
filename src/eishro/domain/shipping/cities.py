"""The places of Libya that orders are shipped to: 22 districts and their main towns.

Districts are the ISO 3166-2:LY ones. A place is known by its `code`, which never changes; names
are for people and are spelled in many ways (مصراته/مصراتة, Misurata/Misrata, Al Khoms/Khums), so
`find_city` compares normalised text without articles, spaces and hyphens, and then a list of
known spellings. Municipalities and quarters are not here: they change often, and carriers work
with a city and a free-text area.
"""

import functools
import re
from typing import Literal

import msgspec

from eishro.text import normalise, slugify

TEXT_LENGTH_MAX = 80  # longer input is no name of a city

Region = Literal["west", "east", "south"]


class District(msgspec.Struct, frozen=True):
    """A district (شعبية): `code` is its ISO 3166-2 code, `seat` the code of its main city, and
    `region` the historic region it belongs to, which is how delivery is usually priced.
    """

    code: str
    name_ar: str
    name_en: str
    seat: str
    region: Region


class City(msgspec.Struct, frozen=True):
    """A city or town. `district` is an ISO code; `aliases` are other spellings of the name."""

    code: str
    name_ar: str
    name_en: str
    district: str
    aliases: tuple[str, ...] = ()


@functools.lru_cache(maxsize=2_000)  # nearly all orders name one of a few spellings
def find_city(text: str) -> City | None:
    """The city that a person or a program means, or None.

    Takes a code (`souq-al-jumaa`), a name in Arabic or English or one of its spellings, with or
    without ال or Al-, or the ISO code of a district (`LY-BA`), which stands for its seat.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    whole, bare = _keys(text)
    return _BY_KEY.get(whole) or _BY_KEY.get(bare) or _BY_KEY.get(_LATIN_ARTICLE.sub("", bare))


_DISTRICTS: tuple[tuple[str, str, str, str, Region], ...] = (
    ("TB", "طرابلس", "Tripoli", "tripoli", "west"),
    ("BA", "بنغازي", "Benghazi", "benghazi", "east"),
    ("MI", "مصراتة", "Misrata", "misrata", "west"),
    ("JI", "الجفارة", "Jafara", "aziziya", "west"),
    ("ZA", "الزاوية", "Zawiya", "zawiya", "west"),
    ("NQ", "النقاط الخمس", "Nuqat al Khams", "zuwara", "west"),
    ("MB", "المرقب", "Murqub", "khoms", "west"),
    ("JG", "الجبل الغربي", "Jabal al Gharbi", "gharyan", "west"),
    ("NL", "نالوت", "Nalut", "nalut", "west"),
    ("SR", "سرت", "Sirte", "sirte", "west"),
    ("JU", "الجفرة", "Jufra", "hun", "south"),
    ("SB", "سبها", "Sabha", "sabha", "south"),
    ("WS", "وادي الشاطئ", "Wadi al Shati", "brak", "south"),
    ("WD", "وادي الحياة", "Wadi al Hayat", "ubari", "south"),
    ("MQ", "مرزق", "Murzuq", "murzuq", "south"),
    ("GT", "غات", "Ghat", "ghat", "south"),
    ("WA", "الواحات", "Al Wahat", "ajdabiya", "east"),
    ("MJ", "المرج", "Marj", "marj", "east"),
    ("JA", "الجبل الأخضر", "Jabal al Akhdar", "bayda", "east"),
    ("DR", "درنة", "Derna", "derna", "east"),
    ("BU", "البطنان", "Butnan", "tobruk", "east"),
    ("KF", "الكفرة", "Kufra", "kufra", "east"),
)
DISTRICTS: tuple[District, ...] = tuple(
    District(f"LY-{code}", name_ar, name_en, seat, region)
    for code, name_ar, name_en, seat, region in _DISTRICTS
)

# Arabic name, English name (its slug is the code), other spellings. Spellings that differ only
# in hamza, ة/ه, ى/ي, spaces, hyphens or the article need no line here.
_TOWNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "TB": (
        ("طرابلس", "Tripoli", "Tarabulus, Tarablus, Trablus, Trablos, طرابلس الغرب"),
        ("تاجوراء", "Tajoura", "Tajura, Tajurah, Tajoora, تاجورا"),
        ("جنزور", "Janzour", "Janzur, Ganzour, Ganzur, Janzoor"),
        ("سوق الجمعة", "Souq al Jumaa", "Suq al Jumaa, Souk al Jomaa, Souk Aljumaa, Suq al Jumah"),
        ("عين زارة", "Ain Zara", "Ayn Zara, Ein Zara, Ain Zarah"),
        ("أبو سليم", "Abu Salim", "Abu Sleem, Abo Salim, Abou Slim, Bu Salim, بوسليم"),
        ("حي الأندلس", "Hay al Andalus", "Hai Alandalus, Hay Andalous, Hai Andalus"),
    ),
    "JI": (
        ("العزيزية", "Aziziya", "Azizia, Aziziyah, Al Azizyah"),
        ("السواني", "Sawani", "Suwani, Swani, Sowani"),
        ("الكريمية", "Karimiya", "Kremiya, Krimiya, Karimia, Kremia"),
        ("الزهراء", "Zahra", "Zahraa, الزهرا"),
        ("قصر بن غشير", "Qasr bin Ghashir", "Gasr Ben Ghashir, Qasr Ben Gashir, قصر بن غاشير"),
        ("سيدي السائح", "Sidi Sayeh", "Sidi Saih, Sidi al Sayih, Sidi Essayeh"),
    ),
    "ZA": (
        ("الزاوية", "Zawiya", "Zawia, Zawiyah, Zawya, Zawiyya"),
        ("صرمان", "Surman", "Sorman, Surmen"),
        ("صبراتة", "Sabratha", "Sabrata, Sabratah"),
        ("المطرد", "Mutrad", "Matrad, Mutrid, Metred"),
        ("أبو عيسى", "Abu Isa", "Abu Issa, Abo Essa, Bu Isa, بوعيسى"),
        ("الماية", "Maya", "Mayah, Maia"),
    ),
    "NQ": (
        ("زوارة", "Zuwara", "Zuwarah, Zwara, Zuara, Zwarah"),
        ("العجيلات", "Ajaylat", "Ajelat, Ajilat, Agelat, Ajailat"),
        ("الجميل", "Jumayl", "Jmail, Jumail, Jamil, Aljmeel"),
        ("رقدالين", "Riqdalin", "Rigdalin, Ragdalin, Raqdalin, Regdalin"),
        ("زلطن", "Zaltan", "Zelten, Zultun, Zeltin"),
        ("رأس جدير", "Ras Ajdir", "Ras Jdir, Ras Jedir, Ras Ajdeer, راس اجدير"),
    ),
    "MB": (
        ("الخمس", "Khoms", "Khums, Homs, Alkhoms, Khomas"),
        ("زليتن", "Zliten", "Zletin, Zlitan, Zlitin, Zleten, زليطن"),
        ("مسلاتة", "Msallata", "Musallata, Msalata, Msellata, Mesallata"),
        ("ترهونة", "Tarhuna", "Tarhouna, Tarhunah, Tarhona"),
        ("القره بوللي", "Garabulli", "Qarabulli, Qaraboulli, Garaboli, القرابولي"),
        ("قصر الأخيار", "Qasr al Akhyar", "Gasr Akhyar, Gasr Khiar, Qasr Khiyar, قصر خيار"),
    ),
    "MI": (
        ("مصراتة", "Misrata", "Misurata, Misratah, Misuratah, Masrata, Mesrata, Musrata"),
        ("تاورغاء", "Tawergha", "Tawargha, Tawurgha, Taworgha, تاورغا"),
        ("الدافنية", "Dafniya", "Dafnia, Dafniyah"),
        ("أبو قرين", "Abu Qurayn", "Abu Grein, Abu Ghrain, Bu Grain, بوقرين"),
        ("بني وليد", "Bani Walid", "Bani Waleed, Beni Walid, Beni Ulid"),
    ),
    "JG": (
        ("غريان", "Gharyan", "Garyan, Ghuryan, Gharian"),
        ("يفرن", "Yafran", "Yefren, Jefren, Yifran"),
        ("الزنتان", "Zintan", "Zentan, Zintane"),
        ("جادو", "Jadu", "Jado, Gado, Jadou"),
        ("الرجبان", "Rujban", "Rajban, Rogeban"),
        ("ككلة", "Kikla", "Kikkla, Kekla, Kiklah"),
        ("الأصابعة", "Asabaa", "Asabea, Asabiah, Assabaa, Asbaa"),
        ("القلعة", "Qalaa", "Galaa, Qala, Gala, Qalah"),
        ("الرياينة", "Riyayna", "Rayayna, Riayna, Reyayna"),
        ("مزدة", "Mizda", "Mizdah, Mezda"),
        ("الشويرف", "Shwayrif", "Shuwayrif, Shwerif, Shweref, Ash Shurayf"),
    ),
    "NL": (
        ("نالوت", "Nalut", "Nalout, Lalut"),
        ("كاباو", "Kabaw", "Kabao, Cabao, Kabaou"),
        ("تيجي", "Tiji", "Teji, Tigi"),
        ("بدر", "Badr", "Bader"),
        ("الجوش", "Jawsh", "Josh, Giosc, Jaush"),
        ("غدامس", "Ghadames", "Ghadamis, Gadames, Ghadamas"),
        ("درج", "Daraj", "Derj, Dirj, Daradj"),
    ),
    "SR": (
        ("سرت", "Sirte", "Surt, Sirt, Sert, Syrte"),
        ("هراوة", "Harawa", "Harawah, Herawa"),
        ("بن جواد", "Bin Jawad", "Ben Jawad, Bin Jawwad, Ben Gawad"),
        ("النوفلية", "Nawfaliya", "Nofaliya, Nawfaliyah, Nofilia, Noflia"),
        ("أبو هادي", "Abu Hadi", "Abo Hadi, Bu Hadi, بوهادي"),
    ),
    "JU": (
        ("هون", "Hun", "Hon, Houn"),
        ("ودان", "Waddan", "Wadan, Ouaddan"),
        ("سوكنة", "Sokna", "Sukna, Socna, Suknah"),
        ("زلة", "Zella", "Zalla, Zillah, Zellah"),
    ),
    "SB": (("سبها", "Sabha", "Sebha, Sabhah, Sebhah, سبهه"),),
    "WS": (
        ("براك", "Brak", "Birak, Barak, Brak al Shati, براك الشاطئ"),
        ("إدري", "Idri", "Edri, Adri"),
    ),
    "WD": (
        ("أوباري", "Ubari", "Awbari, Obari, Oubari, Aubari"),
        ("الغريفة", "Ghurayfa", "Ghrayfa, Ghreifa, Graifa, Ghuraifa"),
    ),
    "MQ": (
        ("مرزق", "Murzuq", "Murzuk, Marzuq, Murzug, Morzuq, Murzuch"),
        ("تراغن", "Traghan", "Taraghin, Traghen, Taraghan"),
        ("أم الأرانب", "Umm al Aranib", "Um Aranib, Om Alaranib"),
        ("القطرون", "Qatrun", "Gatrun, Qatroun, Gatroun, Gatron"),
    ),
    "GT": (
        ("غات", "Ghat", "Gat, Ghaat"),
        ("العوينات", "Awaynat", "Uwaynat, Owainat, Uweinat, Serdeles"),
    ),
    "WA": (
        ("أجدابيا", "Ajdabiya", "Ajdabia, Agedabia, Ajdabiyah, Ejdabia, Adjabiya, اجدابية"),
        ("البريقة", "Brega", "Burayqah, Marsa Brega, Brayga, مرسى البريقة"),
        ("الزويتينة", "Zuwaytina", "Zueitina, Zuwaytinah, Zwetina, Zuetina"),
        ("العقيلة", "Agheila", "Uqayla, Ageila, Aqaila, Aguila"),
        ("جالو", "Jalu", "Jalo, Gialo, Jalou"),
        ("أوجلة", "Awjila", "Awjilah, Aujila, Augila, Ojla"),
        ("مرادة", "Marada", "Maradah"),
    ),
    "KF": (
        # The oasis is one place for a parcel; its centre has a name of its own.
        ("الكفرة", "Kufra", "Kufrah, Cufra, Koufra, الجوف, Al Jawf"),
        ("تازربو", "Tazirbu", "Tazerbo, Tazirbo, Tazerbu"),
    ),
    "BA": (
        ("بنغازي", "Benghazi", "Bengazi, Banghazi, Binghazi, Benghasi"),
        ("قمينس", "Qaminis", "Gaminis, Qamines, Gmines, Ghemines"),
        ("سلوق", "Suluq", "Soluq, Slouq, Suluk, Solug"),
        ("بنينا", "Benina", "Banina, Bnina, بنينة"),
    ),
    "MJ": (
        ("المرج", "Marj", "Merj, Barce, Almarj"),
        ("الأبيار", "Abyar", "Abiar, Labyar, Obiar"),
        ("توكرة", "Tocra", "Tukra, Tokra, Tawkra, Taucheira"),
        ("تاكنس", "Taknis", "Takness, Tacnis, Teknis"),
        ("طلميثة", "Tolmeita", "Tulmaythah, Tolmitha, Tulmitha, Ptolemais"),
    ),
    "JA": (
        ("البيضاء", "Bayda", "Beida, Baida, Beyda, البيضا"),
        ("شحات", "Shahhat", "Shahat, Shehat, Cyrene"),
        ("سوسة", "Susa", "Sousa, Soussa, Susah, Apollonia"),
        ("مسة", "Massa", "Messa, Massah"),
        ("قصر ليبيا", "Qasr Libya", "Gasr Libya, Qasr Libia, Kasr Libya"),
        ("مراوة", "Marawa", "Marawah, Maraua"),
        ("سلنطة", "Slonta", "Slanta, Aslanta, Salanta, اسلنطة"),
        ("الأبرق", "Abraq", "Labraq, Abrag, Labrag"),
    ),
    "DR": (
        ("درنة", "Derna", "Darnah, Darna, Dernah"),
        ("القبة", "Qubba", "Qubbah, Gubba, Guba, Quba"),
        ("مرتوبة", "Martuba", "Martubah, Martouba"),
        ("التميمي", "Tmimi", "Tamimi, Temimi, Tmimy"),
        ("عين مارة", "Ain Mara", "Ayn Mara, Ein Mara, Ain Marah"),
        ("أم الرزم", "Umm Rizam", "Um Rzam, Om Razam, Um Rzem"),
    ),
    "BU": (
        ("طبرق", "Tobruk", "Tubruq, Tobruq, Tubruk, Tobrouk"),
        ("إمساعد", "Musaid", "Imsaad, Emsaed, Msaed, Musaed, مساعد"),
        ("كمبوت", "Kambut", "Kamboot, Gambut, Kambout"),
        ("الجغبوب", "Jaghbub", "Jaghboub, Giarabub, Jagbub"),
    ),
}

CITIES: tuple[City, ...] = tuple(
    City(slugify(name_en), name_ar, name_en, f"LY-{district}", tuple(spellings.split(", ")))
    for district, towns in _TOWNS.items()
    for name_ar, name_en, spellings in towns
)

_WORD = re.compile(r"[^\W_]+")
# The article as a word of its own, its sound assimilated to the next letter or not.
_LATIN_ARTICLES = {"al", "el", "ar", "as", "ash", "at", "az", "an", "ad"}
_LATIN_ARTICLE = re.compile(r"^[ae]l(?=[a-z]{3})")  # glued to the name: Alkhoms
_ARABIC_ARTICLE = re.compile(r"^ال(?=..)")


def _keys(text: str) -> tuple[str, str]:
    """The letters of a name run together: all of them, and without the articles."""
    found = _WORD.findall(normalise(text).replace("'", "").replace("’", ""))
    bare = [_ARABIC_ARTICLE.sub("", word) for word in found if word not in _LATIN_ARTICLES]
    return "".join(found), "".join(bare)


def _index() -> dict[str, City]:
    by_code = {city.code: city for city in CITIES}
    index = {_keys(district.code)[0]: by_code[district.seat] for district in DISTRICTS}
    for city in CITIES:
        for spelling in (city.code, city.name_ar, city.name_en, *city.aliases):
            index.update(dict.fromkeys(_keys(spelling), city))
    return index


_BY_KEY = _index()
