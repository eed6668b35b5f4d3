"""Names of persons who are on no list, and slips of a letter, made by a program: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence


def _listed(text: str) -> list[str]:
    return text.split()


_MALAY_MEN = _listed(
    "Azlan Faizal Hafiz Rosli Zulkifli Ismail Yusof Kamal Roslan Azhar Shahrul Hisham Nizam Rizal Fadzil Razak "
    "Hamid Idris Zainal Hashim Rahim Salleh Osman Harun Zakaria Jamil Latif Bakar Daud Musa Hassan Hussin Aziz "
    "Amir Irfan Syafiq Haziq Danial Firdaus Hakim Ridzuan Khairul Saiful Nazri Rashid Omar Ramli Samad Mokhtar "
    "Ghazali"
)
_MALAY_WOMEN = _listed(
    "Nurhaliza Azizah Faridah Aminah Rohani Zainab Halimah Norliza Suraya Aishah Hasnah Fatimah Zaleha Rosnah "
    "Salmah Khadijah Maznah Normah Ruzita Sharifah Hidayah Izzati Syafiqah Balqis Farhana Liyana Nabila Amira "
    "Sofea Hani"
)
_MALAY_FIRST = ("Mohd", "Muhammad", "Ahmad", "Abdul", "Mohamad", "Wan", "Nik", "Megat", "")
_PORTUGUESE_MEN = _listed(
    "António José João Manuel Francisco Carlos Paulo Pedro Luís Fernando Jorge Rui Ricardo Miguel Nuno Filipe "
    "Tiago Henrique Eduardo Armando Américo Augusto Alberto Vasco Duarte Leonel Mário Sérgio Vítor Rodrigo "
    "Bernardo Gil"
)
_PORTUGUESE_WOMEN = _listed(
    "Maria Ana Teresa Isabel Helena Cristina Paula Fátima Margarida Rita Sofia Catarina Filomena Leonor Beatriz "
    "Marta Inês Lurdes Graça Conceição Joana Carla Sandra Susana Anabela Cecília Rosa Julieta Olga Natália"
)
_PORTUGUESE_FAMILY = _listed(
    "da+Silva dos+Santos Ferreira Pereira da+Costa Oliveira Rodrigues Martins de+Sousa Fernandes Gonçalves Gomes "
    "Lopes Marques Alves de+Almeida Ribeiro Pinto Carvalho Teixeira Moreira Correia Mendes Nunes Soares Vieira "
    "Monteiro Cardoso da+Rocha Neves Coelho da+Cruz Cunha Pires Ramos Reis Simões Antunes Matos Fonseca "
    "do+Rosário Xavier Senna de+Assis Noronha Rangel da+Luz Guterres Badaraco Nolasco Jorge Airosa Collaço "
    "d'Almada Remédios do+Espírito"
)
_VIETNAMESE_FAMILY = _listed(
    "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Đinh Trương Lâm Đoàn Mai Cao Tạ Hà Đào"
)
_VIETNAMESE_MIDDLE = _listed(
    "Văn Thị Minh Đức Quốc Thanh Ngọc Hữu Xuân Hoàng Thu Kim Bích Công Gia Anh Quang Thùy Đình Tuấn"
)
_VIETNAMESE_GIVEN = _listed(
    "Lan Hùng Tuấn Hoa Xuân Dũng Hương Nam Long Phúc Mai Linh Hà Sơn Bình An Anh Bảo Châu Chi Cường Đạt Giang Hải "
    "Hạnh Hiếu Hòa Khánh Khoa Kiên Lâm Loan Minh My Nga Nhung Phong Phương Quân Quyên Sang Tâm Thảo Thắng Trang "
    "Trung"
)
_ANY_GIVEN = _listed(
    "Oliver George Harry Jack Noah Hannah Emma Sophie Lukas Leon Anna Marie Giulia Marco Luca Chiara Pablo Lucía "
    "Javier Carmen Piotr Agnieszka Tomasz Katarzyna Jan Pieter Anneke Sven Ingrid Björn Astrid Rajesh Priya Amit "
    "Anjali Suresh Deepa Kwame Ama Chidi Ngozi Thabo Lerato Yuki Haruto Sakura Kenji Somchai Malee Aung Thida "
    "Dmitri Olga Sergei Natalia Mehmet Elif Emre Zeynep"
)
_ANY_FAMILY = _listed(
    "Smith Taylor Evans Walker Wright Müller Schmidt Becker Rossi Bianchi Ferrari García Martínez Romero Kowalski "
    "Nowak van+Dijk de+Boer van+den+Berg Larsson Nilsson Hansen Sharma Patel Iyer Reddy Gupta Mensah Okafor Eze "
    "Dlamini Nkosi Tanaka Yamamoto Kobayashi Srisai Chaiyasit Kyaw Volkov Popov Sidorova Yıldırım Kaya Demir "
    "Çelik O'Connor MacDonald Fitzgerald Dupont Lefèvre Moreau"
)


def _malay(rng: random.Random, half: int) -> str:
    if rng.random() < 0.35:
        first, joint = rng.choice(("Siti", "Nur", "Nor", "")), rng.choice(("binti", "binti", "bt", "binte"))
        return " ".join(filter(None, (first, rng.choice(_MALAY_WOMEN[half::2]), joint, rng.choice(_MALAY_MEN))))
    given = f"{rng.choice(_MALAY_FIRST)} {rng.choice(_MALAY_MEN[half::2])}".strip()
    father = f"{rng.choice(('', '', 'Abdul', 'Mohd'))} {rng.choice(_MALAY_MEN)}".strip()
    return f"{given} {rng.choice(('bin', 'bin', 'b.'))} {father}"


def _portuguese(rng: random.Random, half: int) -> str:
    given = rng.sample(
        _PORTUGUESE_MEN[half::2] if rng.random() < 0.5 else _PORTUGUESE_WOMEN[half::2], rng.choice((1, 2, 2))
    )
    family = rng.sample(_PORTUGUESE_FAMILY, rng.choice((1, 1, 2)))
    return " ".join((*given, *family)).replace("+", " ")


def _vietnamese(rng: random.Random, half: int) -> str:
    middle = rng.sample(_VIETNAMESE_MIDDLE, rng.choice((1, 1, 1, 2)))
    return " ".join((rng.choice(_VIETNAMESE_FAMILY), *middle, rng.choice(_VIETNAMESE_GIVEN[half::2])))


def _mixed(rng: random.Random, half: int) -> str:
    given = rng.sample(_ANY_GIVEN[half::2], rng.choice((1, 1, 2)))
    return " ".join((*given, rng.choice(_ANY_FAMILY))).replace("+", " ")


CULTURES: dict[str, Callable[[random.Random, int], str]] = {
    "Malay": _malay,
    "Portuguese": _portuguese,
    "Vietnamese": _vietnamese,
    "mixed": _mixed,
}


def innocents(culture: str, count: int, seed: int, half: int = 0) -> list[str]:
    """So many different names of a culture, with given and family names drawn from those that registers have often.

    Given names are of one half of those, 0 or 1, so that nobody of one half has the name of anybody of the other.
    """
    rng, found = random.Random(f"{culture} {seed}"), dict[str, None]()
    while len(found) < count:
        found[CULTURES[culture](rng, half)] = None
    return list(found)


SLIPS = ("transposed", "dropped", "replaced")
MIN_WORD = 5
"""Letters of a word in which a slip is made."""


def slipped(name: str, how: str, rng: random.Random) -> str:
    """A name with one slip in a word of five letters or more, behind its first letter; empty if it has none."""
    words = name.split(" ")
    places = [at for at, word in enumerate(words) if len(word) >= MIN_WORD and word.isascii() and word.isalpha()]
    if not places:
        return ""
    at = rng.choice(places)
    word = words[at]
    changed = next(made for made in _slips(word, how, rng) if made.lower() != word.lower())
    return " ".join((*words[:at], changed, *words[at + 1 :]))


def _slips(word: str, how: str, rng: random.Random) -> Iterator[str]:
    while True:
        place = rng.randrange(1, len(word) - 1)
        before, letter, after = word[:place], word[place], word[place + 1 :]
        if how == "transposed":
            yield before + after[0] + letter + after[1:]
        elif how == "dropped":
            yield before + after
        else:
            yield before + rng.choice("abcdefghijklmnopqrstuvwxyz") + after


def slips_of(names: Sequence[str], how: str, seed: int) -> list[tuple[str, str]]:
    """Names, each with itself as a slip leaves it."""
    rng = random.Random(f"{how} {seed}")
    made = [(name, slipped(name, how, rng)) for name in names]
    return [(name, slip) for name, slip in made if slip]
