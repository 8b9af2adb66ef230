"""What may stand around a time, folded, in English, French, Spanish and Persian.

A number counts only where its neighbours are understood: "for 3 years" and "not 3 years", "about 20 years" and
"at 20 years" differ in one word, and a word that nobody thought of may be any of them. So the phrase right before
a time and the one right after it must be known; whatever else is said matters only if it is one of `TWISTS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["EARLY", "LATE", "known_after", "known_before", "twisted"]


def _phrases(*rows: str) -> frozenset[str]:
    """Phrases of several words are written with a hyphen between them."""
    return frozenset(word.replace("-", " ") for row in rows for word in row.split())


EARLY: Final = _phrases("early beginning start debut principios comienzos اوایل ابتدای عید نوروز")
"""Said of a year: about its second month."""
LATE: Final = _phrases("late end christmas fin noel finales navidad اواخر اخر پایان")
"""Said of a year: about its eleventh month."""

# Before a time of either kind.
_BEFORE: Final = _phrases(
    """since about around roughly approximately approx circa ca nearly almost exactly just maybe perhaps probably
    possibly say like think guess believe reckon suppose be is s it more-or-less give-or-take only well er erm um umm
    uh hmm oh ah ok okay yes yeah yep gosh sure know dunno remember recall certain not-sure don-t-know dont-know
    do-not-know can-t-remember cannot-remember not-certain honestly actually now already but the account customer client
    member here you bank opened open joined started
    created registered up""",
    """depuis environ presque quasiment bientot deja dirais dire dis crois pense suppose sais-pas sais-plus pas-sur
    pas-sure etre compte client cliente que euh ben bah bon bien alors oui exactement juste mais plus-ou-moins peu-pres
    maintenant est ouvert ouverte cree creee inscrit inscrite""",
    """desde casi como aproximadamente aprox alrededor-de cerca-de mas-o-menos creo diria digo pero que pues eh bueno si
    no-se seguro segura no-recuerdo no-me-acuerdo quizas quiza tal-vez mejor probablemente cliente cuenta aqui ustedes
    justo exactamente""",
    """از حدود حدودا حدودای تقریبا نزدیک نزدیک-به حوالی کنم میکنم کردم شاید احتمالا دقیقا الان حالا همین که من است هست
    حساب حسابم مشتری مشتریم اینجا شما خب بله اره فکر گمونم گمانم نظرم ام نمی-دانم نمیدانم نمی-دونم نمیدونم نیستم""",
)
_BEFORE_SPAN: Final = _phrases(
    """for been over more-than bit-over bit-more-than little-over little-more-than slightly-over slightly-more-than
    bit-less-than bit-under little-less-than little-under slightly-less-than slightly-under just-under close-to
    near-to close-on going-on getting-on-for coming-up-on coming-up-to good solid some last past these total-of had
    held ve-had""",
    """y-a fait fera faire pres-de plus-de peu-plus-de peu-moins-de autour-de alentours-de proche-de pas-loin-de voila
    pendant durant bonne bonnes bons petite grosse quelque facilement peine anciennete-de vous""",
    """hace llevo lleva llevamos llevas unos unas mas-de poco-mas-de poco-menos-de ya son eran hara haran sera seran
    ser para cumple cumplo solo buenos buenas apenas cuenta-tiene durante por ultimos ultimas""",
    """بیش-از بیشتر-از کمی-بیش-از کمی-کمتر-از بالای میشه میشود شود می-شه شده هستم سابقه مدت به-مدت فقط یه باشه""",
)
_BEFORE_YEAR: Final = _phrases(
    """in from back sometime was mid middle summer spring autumn fall winter easter of year during on""",
    """en vers courant mi milieu ete printemps automne hiver rentree date etait des au du autour alentours partir""",
    """en sobre hacia por mediados verano otono invierno primavera fue era a al alrededor cerca
    partir abri abrio abierta abierto""",
    """در میلادی شمسی هجری اواسط بهار تابستان پاییز زمستان بود رو را""",
    *EARLY,
    *LATE,
)
# After a duration. After a year nothing matters but what is in `TWISTS`.
_AFTER: Final = _phrases(
    """ago now already old or-so or-thereabouts more-or-less give-or-take give roughly approximately approx about
    around maybe perhaps probably i we it as with this at of that today please here long total in-total in-all back
    come and-a-bit and-change account customer client member since exactly not-sure sure ish actually yes yeah though
    for to-date sir madam plus so-far and-counting by-now sorry thanks thank""",
    """environ deja maintenant que je j on a-peu-pres passes pile bientot comme chez avec aujourd facile facilement
    bien et-quelques et-des-poussieres peut-etre plus-ou-moins exactement je-crois a-peine de cette c ca voila en-tout
    au-total client cliente si merci monsieur madame grosso il ici depuis""",
    """mas-o-menos aproximadamente aprox ya que con y-pico y-algo largos ahora creo calculo aqui como de siendo cliente
    atras o-asi o-por-ahi por-ahi casi exactos exactamente justos seguro en-total en-este en-el-banco cumplidos pasados
    gracias senor senora desde la-cuenta hoy si""",
    """پیش قبل است هست میشه میشود می-شود می-شه که ست شده شد داره دارم گذشته اینا حدودا تقریبا فکر مشتری مشتریم حساب
    سابقه به-نظرم و-خرده-ای و-خورده-ای و-اندی الان حالا با در من باشه کامل تمام اینجا هستم عضو ممنون احتمالا شاید گمونم
    گمانم میگذره میگذرد می-گذرد شما""",
)
# A lead after one of these is denied: it hasn't been three years, no hace tres años.
_DENIED: Final = frozenset(("not", "t", "never", "no", "nunca", "ni", "pas", "sin", "sans"))
_TWISTS: Final = _phrases(
    """before until till prior-to born birthday every each per times twice younger later hence after afterwards from-now
    no-more-than not-more-than not-over at-most at-the-most at-the-very-most up-to of-age in-the-last in-the-past""",
    """avant jusqu jusque apres plus-tard ne-en ne-le nee-en nee-le naissance chaque par-an par-mois fois tous-les
    toutes-les au-plus au-maximum au-max pas-plus de-plus d-ici""",
    """antes hasta despues luego naci nacido nacida nacimiento cada al-ano al-mes veces a-lo-sumo como-mucho como-maximo
    mas-tarde no-mas-de en-los-ultimos""",
    """قبل-از پیش-از بعد-از پس-از متولد دنیا هر بار سالگی سالگیم سالگیام سالم سالمه سالش دیگر دیگه اینده بعد""",
)
_LONGEST: Final = 5  # words of a phrase


def _ends(words: list[str], phrases: frozenset[str]) -> int:
    """Return how many of the last words are a known phrase; the longest counts."""
    return next((n for n in range(min(_LONGEST, len(words)), 0, -1) if " ".join(words[-n:]) in phrases), 0)


def known_before(words: list[str], *, year: bool) -> bool:
    """Whether what stands before a time leaves it as it is."""
    if not words:
        return True
    words = ["de" if word == "d" else word for word in words]
    length = _ends(words, _BEFORE | (_BEFORE_YEAR if year else _BEFORE_SPAN))
    return length > 0 and not (len(words) > length and words[-length - 1] in _DENIED)


def known_after(words: list[str]) -> bool:
    """Whether what stands after a duration leaves it as it is."""
    return not words or any(" ".join(words[:n]) in _AFTER for n in range(1, min(_LONGEST, len(words)) + 1))


def twisted(words: Iterable[str]) -> bool:
    """Whether something said turns the time into another: before 2019, every two years, three years later."""
    said = f" {' '.join(words)} "
    return any(f" {phrase} " in said for phrase in _TWISTS)
