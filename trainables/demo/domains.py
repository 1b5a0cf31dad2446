"""Names for the generated articles: what is built, where it is used, by whom, and what it is meant to lower."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """One field of technology. things: (singular, plural) of each product; site: (singular, plural)."""

    things: tuple[tuple[str, str], ...]
    site: tuple[str, str]
    users: str
    burden: str


DOMAINS: tuple[Domain, ...] = (
    Domain(
        (("flow battery", "flow batteries"), ("fault detector", "fault detectors")),
        ("substation", "substations"),
        "grid operators",
        "outage time",
    ),
    Domain(
        (("soil-moisture probe", "soil-moisture probes"), ("weeding robot", "weeding robots")),
        ("farm", "farms"),
        "growers",
        "water use",
    ),
    Domain(
        (("glucose patch", "glucose patches"), ("retinal scanner", "retinal scanners")),
        ("clinic", "clinics"),
        "physicians",
        "readmission",
    ),
    Domain(
        (("pallet robot", "pallet robots"), ("route planner", "route planners")),
        ("warehouse", "warehouses"),
        "hauliers",
        "empty mileage",
    ),
    Domain(
        (("sodium-ion pack", "sodium-ion packs"), ("swap station", "swap stations")),
        ("bus depot", "bus depots"),
        "fleet managers",
        "charging time",
    ),
    Domain(
        (("membrane filter", "membrane filters"), ("leak sensor", "leak sensors")),
        ("waterworks", "waterworks"),
        "water utilities",
        "leakage",
    ),
    Domain(
        (("wall-printing arm", "wall-printing arms"), ("brick-laying robot", "brick-laying robots")),
        ("building site", "building sites"),
        "contractors",
        "cement consumption",
    ),
    Domain(
        (("wing sail", "wing sails"), ("hull-cleaning crawler", "hull-cleaning crawlers")),
        ("ferry", "ferries"),
        "shipowners",
        "fuel burn",
    ),
    Domain(
        (("axle sensor", "axle sensors"), ("track-inspection drone", "track-inspection drones")),
        ("rail yard", "rail yards"),
        "train operators",
        "unplanned downtime",
    ),
    Domain(
        (("sorting arm", "sorting arms"), ("textile shredder", "textile shredders")),
        ("recycling plant", "recycling plants"),
        "waste managers",
        "landfill tonnage",
    ),
    Domain(
        (("heat-pump controller", "heat-pump controllers"), ("ventilation unit", "ventilation units")),
        ("school", "schools"),
        "caretakers",
        "heating cost",
    ),
    Domain(
        (("fish-counting camera", "fish-counting cameras"), ("net-cleaning robot", "net-cleaning robots")),
        ("salmon farm", "salmon farms"),
        "fish farmers",
        "feed waste",
    ),
    Domain(
        (("smoke-spotting camera", "smoke-spotting cameras"), ("fire-line drone", "fire-line drones")),
        ("forest district", "forest districts"),
        "rangers",
        "response time",
    ),
    Domain(
        (("hydrogen burner", "hydrogen burners"), ("waste-heat engine", "waste-heat engines")),
        ("foundry", "foundries"),
        "plant managers",
        "gas consumption",
    ),
    Domain(
        (("electric tug", "electric tugs"), ("de-icing robot", "de-icing robots")),
        ("airport", "airports"),
        "ground crews",
        "taxiing delay",
    ),
    Domain(
        (("blood analyser", "blood analysers"), ("sample-handling robot", "sample-handling robots")),
        ("laboratory", "laboratories"),
        "pathologists",
        "turnaround time",
    ),
    Domain(
        (("freezer monitor", "freezer monitors"), ("shelf-scanning robot", "shelf-scanning robots")),
        ("supermarket", "supermarkets"),
        "store managers",
        "spoilage",
    ),
    Domain(
        (("ore sorter", "ore sorters"), ("dust-suppression system", "dust-suppression systems")),
        ("quarry", "quarries"),
        "site engineers",
        "diesel consumption",
    ),
    Domain(
        (("solar mast", "solar masts"), ("fuel-cell cabinet", "fuel-cell cabinets")),
        ("relay site", "relay sites"),
        "tower companies",
        "generator use",
    ),
    Domain(
        (("milking robot", "milking robots"), ("calf-health collar", "calf-health collars")),
        ("dairy", "dairies"),
        "herd managers",
        "antibiotic use",
    ),
)

PLACES: tuple[str, ...] = (
    "Jutland",
    "Saxony",
    "the Basque Country",
    "Hokkaido",
    "Minas Gerais",
    "Ontario",
    "northern Sweden",
    "Catalonia",
    "Gujarat",
    "the Midlands",
    "Tasmania",
    "Flanders",
    "Lower Austria",
    "the Eastern Cape",
    "Chile",
    "Oregon",
    "Brittany",
    "Kerala",
    "Estonia",
    "Jeju",
    "Iowa",
    "Lombardy",
    "western Norway",
    "Morocco",
    "Manitoba",
    "Vietnam",
    "the Scottish Highlands",
    "Slovenia",
    "Queensland",
    "Vermont",
)

ORGANISATION_HEADS: tuple[str, ...] = (
    "Nor",
    "Vel",
    "Tar",
    "Kes",
    "Lum",
    "Ost",
    "Brin",
    "Cal",
    "Dun",
    "Ester",
    "Fen",
    "Gal",
    "Hal",
    "Ild",
    "Jor",
    "Mer",
    "Pel",
    "Quin",
    "Ros",
    "Sel",
)
ORGANISATION_TAILS: tuple[str, ...] = (
    "vane",
    "tek",
    "dyne",
    "wick",
    "mere",
    "lund",
    "ora",
    "field",
    "works",
    "stad",
    "line",
    "gate",
    "haven",
    "ric",
)

NUMBER_WORDS: tuple[str, ...] = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
)
