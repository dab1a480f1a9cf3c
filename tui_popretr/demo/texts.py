"""What people of the demo write to each other: names, subjects and sentences, all invented."""

from __future__ import annotations

#: Who writes: name and address, in domains that are reserved for examples (RFC 2606).
PEOPLE = (
    ("Ines Abadi", "ines@example.org"),
    ("Tom Birch", "tom.birch@example.com"),
    ("Søren Dahl", "soeren@example.net"),
    ("Mia Fontaine", "mia@example.org"),
    ("Jürgen Groß", "juergen@example.net"),
    ("Aroha Henare", "aroha@example.com"),
    ("Zoë Kowalczyk", "zoe@example.org"),
    ("Rajesh Iyer", "rajesh@example.com"),
    ("Lucía Martín", "lucia@example.net"),
    ("Ken Oduya", "ken@example.org"),
)

SUBJECTS = (
    "Lunch on Thursday?",
    "Keys are at the front desk",
    "Draft of the poster",
    "Who waters the plants?",
    "Bicycle shed, new code soon",
    "Small change to the timetable",
    "Book club: next chapter",
    "Found: one blue glove",
    "Choir rehearsal moves to room 4",
    "Thanks for yesterday",
    "Allotment: seeds to swap",
    "Sunday walk, the long way round",
)

SENTENCES = (
    "The weather looks kind for once, so let us try it outside.",
    "I have put a copy on the shelf next to the kettle.",
    "Could you tell the others? I only have half of the addresses.",
    "It took longer than I thought, but now it runs like clockwork.",
    "Bring a cup; last time there were fewer cups than people.",
    "The second page is new, the rest is only tidied up.",
    "No hurry at all, some time before the end of the month is fine.",
    "My train is at twenty past six, so I shall be there at seven.",
    "We counted again and it is still one too many, which is a nice problem to have.",
    "If it rains we meet in the hall instead.",
    "The cat has been fed and sends her regards.",
    "I liked your idea with the lanterns very much.",
)

TASKS = (
    "paint the fence",
    "ask about the projector",
    "order compost",
    "collect the chairs",
    "write to the library",
    "mend the gate",
    "count the tickets",
    "print the programme",
)

#: Sentences that need more than ASCII; those of LATIN fit into ISO 8859-1.
LATIN = (
    "Smörgåsbord är förberedd i köket, hälsar Åsa.",
    "À bientôt, et merci pour le gâteau, il était délicieux !",
    "Größere Stühle hätten wir übrigens auch noch.",
    "¿Vienes mañana? Traigo piñones y jamón.",
)
WORLDWIDE = (
    "Příliš žluťoučký kůň zpívá v poledne na dvoře.",
    "Καλημέρα! Ο καφές είναι έτοιμος.",
    "明日の散歩は十時からです。",
    "Привет из сада, яблоки уже поспели.",
    "Zażółć gęślą jaźń, czyli do zobaczenia w sobotę.",
)

#: Lines that begin with dots, which POP3 has to double on the way and to halve again (RFC 1939 §3).
DOTTED = (
    ".gitignore",
    ".venv/",
    "..",
    ".",
    "...and so on, until the list was full.",
    "..two dots",
    ". one dot and a space",
)
