"""Sentence templates for the generated articles.

`{slot}` is filled from the article's domain and from numbers; `[a|b|c]` takes one of its alternatives. The levels 0 to
4 of each dimension stand for the scores 0–2, 2–4, 4–6, 6–8 and 8–10. Words alone must not give a level away: the same
"since", "plan", "pilot", "customers" and "proven" turn up at every level, said of the past, the future or others.
"""

DEPLOYMENT: tuple[tuple[str, ...], ...] = (
    (
        "{org} [imagines|envisions|dreams of] {a_thing} in every {site} of {place}.",
        "For now the {thing} [exists only|lives] [on slides|in a pitch deck|in a patent draft].",
        "No {site} has [seen|received|tried] the {thing}, and [no date has been named|nobody will name a date].",
        "The founders [mean|want|intend] to bring {things} to {sites} [someday|once money is found|in due course].",
        "A [rendering|cardboard model|video] of the {thing} drew [crowds|applause] in {place}, but nothing has "
        "been built.",
        "{org} is [looking for|courting] investors [to start work on|who would fund] the {thing}.",
        "The {thing} remains an idea, [however often it is described as deployed|whatever the headlines say].",
        "{users} [may have to wait|will wait] a long time, since the {thing} has not left the drawing board.",
        "What {org} calls its installed base [turned out to be|is] a list of {sites} that [once asked for a leaflet|"
        "follow it online].",
        "[Nothing of the kind|Not a single unit] [runs|operates] anywhere today, [in {place} or elsewhere|"
        "and {org} admits as much].",
        "If {org} is to be believed, {things} will [one day|eventually] be as common in {sites} as light switches.",
        "The {thing} was announced in {past}, again in {recent}, and has [yet to appear|not been seen since].",
        "Asked which {sites} use the {thing}, {org} [declined to answer|pointed to its roadmap].",
        "A student team in {place} [sketched|proposed] {a_thing} that could [serve|run] whole {sites}.",
        "{org} promises {things} [everywhere|on every continent] and has [hired|retained] an agency to say so.",
        "Whether anyone will [ever build|finish] the {thing} is [open|anyone's guess].",
    ),
    (
        "{org} plans to deploy its {things} in {n} {sites} by {future}.",
        "The {thing} is expected to [power|serve|equip] {n} {sites} [from {future} on|within a few years].",
        "A pilot of the demo is [scheduled|pencilled in] for {future} at {a_site} in {place}.",
        "{org} has signed [letters of intent|a memorandum] covering {n} {sites}, [none of them binding|all of them "
        "revocable].",
        "[Deliveries|Installations] [should|are due to] begin in {future}, [once the design is frozen|if the permits "
        "arrive].",
        "The only {thing} so far stands in {org}'s [workshop|lobby], where visitors may [touch it|watch it move].",
        "{org} has begun [talks|negotiations] with {users} about [a first trial|a test bed] in {place}.",
        "{n} {sites} are on a waiting list for {a_thing} that [is still being designed|nobody has yet switched on].",
        "A [demonstrator|mock-up] of the {thing} toured {few} {sites} [for an afternoon each|without being "
        "plugged in].",
        "The rollout [foreseen|promised] for {recent} has been moved to {future}.",
        "{org} says [commercial service|daily operation] at {sites} in {place} will start [soon|after the next round].",
        "An agreement to [equip|outfit] {n} {sites} was [celebrated|announced] in {place}; the hardware is to follow.",
        "[Early adopters|The first customers] are to be chosen in {future}, and {org} already calls them partners.",
        "Construction of a plant that would make {n} {things} a week is [planned|under discussion] in {place}.",
        "The {thing} will be [proven|field-tested] at {few} {sites}, says {org}, as soon as a working unit is "
        "available.",
        "{users} in {place} have [agreed|been invited] to host the {thing} when it is [ready|finished].",
    ),
    (
        "{few_cap} {sites} in {place} are [trying out|testing] the {thing} [this season|until next spring|under "
        "supervision].",
        "{org} has put {few} hand-built units into one {site} for a [year-long|six-month] trial.",
        "A [trial|pilot] at one {site} in {place} has [passed its halfway mark|entered its second phase].",
        "{users} at {a_site} in {place} run the {thing} on weekdays beside the old equipment, which stays in charge.",
        "The {thing} has been [working|running] at a single {site} since {recent}, [free of charge|with an engineer on "
        "hand].",
        "Under a research grant, {few} {sites} [host|have been lent] {things} and [report back|keep a log] every "
        "month.",
        "The volunteers at {few} {sites} have [agreed to keep|kept] the {thing} for another season of tests.",
        "A public programme in {place} pays for {few} {things} [on loan|on trial], and [none has been sold|sales "
        "are not "
        "the aim].",
        "{org}'s engineers [drive|travel] to the {site} in {place} every week to [look after|adjust] the {thing}.",
        "The experiment at {a_site} in {place} goes on until {future}, after which the {thing} is to be "
        "[judged|removed].",
        "One {site} lets the {thing} [handle|do] a tenth of its work; the rest is done as before.",
        "After the demonstration, {few} {sites} took the {thing} in for a proper test, and that test is running.",
        "The field study now covers {few} {sites}, [half as many as|fewer than] {org} had hoped for.",
        "A [loaned|borrowed] unit has been at work in {a_site} near {org}'s office for [a year|two winters].",
    ),
    (
        "{org} has delivered its first {small} {things} to [paying customers|{sites} that paid for them].",
        "Since {recent}, {few} {sites} in {place} have bought the {thing} [at list price|without a subsidy].",
        "[Orders|Sales] of the {thing} [doubled|picked up] after {recent}, mostly [from {place}|to small {sites}].",
        "The first {sites} to buy the {thing} have [ordered a second one|signed up for another year].",
        "{org} [invoices|bills] {small} {sites} a month for {things} [and loses a little on each|and is hiring "
        "fitters].",
        "{users} can [buy|order] the {thing} with a lead time of {few} months; {small} have done so.",
        "A [regional distributor|dealer] in {place} took the {thing} into its catalogue in {recent}.",
        "{small_cap} {things} are in [daily|regular] service, and {org} has opened [a second|its first] workshop.",
        "The {few} {sites} that tested the {thing} [kept it and now pay|became its first buyers].",
        "A [chain|group] of {sites} in {place} is fitting the {thing} at {few} of its locations after a paid "
        "start at one.",
        "{org} left the trial phase in {recent}; since then it has earned its money with the {thing}, if not much.",
        "Customers outside {place} are still rare, but {small} {sites} there [own|lease] the {thing}.",
        "Insurers in {place} have begun to [list|accept] the {thing}, now that {small} are sold.",
        "The {thing} has moved from the test bench of one {site} to the [purchase lists|budgets] of {small} others.",
    ),
    (
        "{sites_cap} [across|throughout] {place} have [relied on|run on|worked with] the {thing} since {past}.",
        "At {hundreds} {sites} the {thing} is [part of the furniture|ordinary equipment]; few {users} recall what came "
        "before.",
        "{org} looks after more than {thousands} {things} [under service contracts|with its own crews].",
        "[Wholesalers|Merchants] in {place} have stocked spare parts for the {thing} for {years} years.",
        "The oldest {things}, fitted in {past}, are being [replaced like for like|retired after a full working life].",
        "When {place} renewed its tender, the {thing} was [simply carried over|taken as the yardstick].",
        "Apprentices in {place} learn to [maintain|service] the {thing} as a matter of course.",
        "Roughly [one {site} in three|every second {site}] in {place} has {a_thing}, and most have had it for years.",
        "A shift at {a_site} without the {thing} is [something only older staff remember|hard to picture now].",
        "{hundreds_cap} {sites} in {few} countries use the {thing} every day, [mostly unnoticed|without much fuss].",
        "The {thing} has outlived {few} of {org}'s competitors and [is on its fifth owner in some {sites}|shows up in "
        "second-hand listings].",
        "By now the standards body in {place} writes its rules around the {thing}.",
        "Nobody at the {site} in {place} talks about the {thing} any more; it has run there for {years} years, "
        "as it has "
        "in {hundreds} others.",
        "{users_cap} budget for {things} the way they budget for electricity.",
        "The replacement market for the {thing} is now larger than that for new {sites}.",
        "Year after year {org} hands over some {hundreds} {things}, and [cancellations are rare|the queue is steady].",
    ),
)

IMPACT: tuple[tuple[str, ...], ...] = (
    (
        "{org} calls the {thing} [a revolution|a game changer] for {users}.",
        "It could [end|wipe out] {burden} altogether, [the founders say|according to a blog post].",
        "No figures [were given|are offered], only [the word proven|enthusiasm].",
        "The promised effect on {burden} rests on [a single sentence in a brochure|an anecdote].",
        "Whether {burden} would fall at all [has not been examined|is a matter of faith].",
        "The benefits are described as [obvious|beyond doubt], which is also [the only evidence|all that is said].",
        "Experts [quoted by|friendly with] {org} see [unlimited|breathtaking] potential.",
        "A spokesman spoke of results that {users} will love and [did not say which|left it at that].",
    ),
    (
        "[Simulations|Models] suggest that {burden} could [fall|drop] by {pct} per cent.",
        "On paper the {thing} lowers {burden} by {pct} per cent; [nobody has checked|that has not been measured].",
        "{org} [estimates|calculates] that {burden} would be cut by {pct} per cent in {hundreds} {sites}.",
        "A bench test [hinted at|pointed to] {pct} per cent, under conditions no {site} [offers|has].",
        "The business plan assumes {burden} {pct} per cent lower [within a year|from the first day].",
        "A [white paper|study] paid for by {org} expects {burden} to shrink by {pct} per cent.",
        "Results from spreadsheets and a scale model are said to [look good|be encouraging].",
    ),
    (
        "During the trial {burden} fell by {pct} per cent, though [the sample is small|the winter was mild].",
        "First [readings|measurements] from the {site} show {burden} down by {pct} per cent.",
        "The test sites [saw|noted] {burden} go down, but so did the {site} used for comparison.",
        "An interim report puts the saving at {pct} per cent and [asks for patience|warns against rushing].",
        "In {few} weeks of logging, {burden} dropped on most days and rose on [some|a few].",
        "The university that watches the test [calls|considers] the numbers [promising but thin|worth a longer look].",
        "Staff at the {site} say it helps; the data are [still being collected|not in yet].",
    ),
    (
        "Buyers [report|say] that {burden} fell by {pct} per cent in the first year.",
        "One customer [published|shared] its books: {burden} is down by {pct} per cent since the purchase.",
        "The saving of about {pct} per cent has been seen at {few} {sites}, [if not at all of them|with some spread].",
        "At two customers the {thing} paid for itself [within {few} years|sooner than agreed].",
        "A bank checked the figures of {few} buyers before it lent {org} money, and [found them sound|lent it].",
        "References from {small} {sites} [speak of|mention] {burden} cut by around {pct} per cent.",
        "Complaints are few, and {few} owners let visitors see their {burden} before and after.",
    ),
    (
        "The national audit office compared {hundreds} {sites} over {years} years and found {burden} {pct} per "
        "cent lower.",
        "Statistics for {place} have shown the drop in {burden} every year since {past}.",
        "{few_cap} independent studies agree that {burden} fell by about {pct} per cent and stayed there.",
        "Regulators now take the lower {burden} for granted when they set targets.",
        "A follow-up after {years} years found [the saving unchanged|no fading of the effect].",
        "Long-term records from {hundreds} {sites} leave little to argue about: {burden} is lower by {pct} per cent.",
        "The effect on {burden} is in the textbooks, with the figures of {past} and of {recent} side by side.",
        "Insurers have [priced in|given a discount for] the lower {burden} for {years} years.",
    ),
)

READINESS: tuple[tuple[str, ...], ...] = (
    (
        "The principle behind it has [not been published|never been reproduced].",
        "Key parts of the {thing} have yet to be invented, [one engineer concedes|as the small print says].",
        "How it would survive a normal working day is [not discussed|left open].",
        "The patent describes [a wish|an effect] rather than a machine.",
        "There is no prototype, [only a mood film|only a waiting page on the web].",
    ),
    (
        "In the laboratory the {thing} ran for {few} hours before it had to be reset.",
        "A first breadboard [works|moves] as long as [nobody opens the window|the room is kept at 20 degrees].",
        "The prototype fits on a bench and is fed by hand.",
        "Engineers are still choosing between {few} designs, none of them tested outdoors.",
        "The control software [crashed twice|froze] in front of the press, which [laughed|was asked not to film].",
    ),
    (
        "The prototype came through a winter outdoors with {few} failures.",
        "The units are built by hand, and no two are [alike|wired the same way].",
        "Certification has [been applied for|begun]; until then the {thing} runs under a special permit.",
        "Twice the {thing} had to be taken back to the workshop, and twice it [returned|came back improved].",
        "The present version still needs [a restart every few days|a trained minder].",
    ),
    (
        "The {thing} received its type approval in {recent} and is assembled in small batches.",
        "A handbook, a warranty of two years and a hotline come with the {thing}.",
        "The second series fixed [the seals|the plugs|the drift] that troubled the first.",
        "Assembly has moved from the workshop to a contract manufacturer in {place}.",
        "The certificate arrived in {recent}; the price list [followed|came a month later].",
    ),
    (
        "The {thing} is in its fifth generation, and parts of the third still fit.",
        "Field failures have stayed below one in a thousand for {years} years.",
        "An automated line in {place} turns out {hundreds} {things} a week.",
        "The maintenance interval was lengthened to {years} years after [the records allowed it|a review of the "
        "records].",
        "Any electrician in {place} can [repair|exchange] it with parts from the shelf.",
        "Two other manufacturers build the {thing} under licence to the same drawings.",
    ),
)

# Said of the future, of rivals or by the maker: big words that prove nothing about the thing itself.
BOASTS: tuple[str, ...] = (
    "Rival {things} have been [running|at work] in {hundreds} {sites} since {past}, and {org} wants to catch up.",
    '"[Proven|Trusted], scalable and deployed where it matters," says the [brochure|website].',
    "By {future}, {hundreds} {sites} will rely on the {thing} every day, [the plan says|according to the prospectus].",
    "Its chief executive [once|previously] deployed {thousands} {things} of another make across {place}.",
    "The website already lists spare parts, a hotline and service contracts.",
    "The [programme|keynote] was called From Pilot to Market Leader.",
    "An older product of another firm has served {sites} in {place} for {years} years; this one is [to do better|new].",
    "{org} speaks of its customers, by which it means [readers of its newsletter|people on a mailing list].",
    "The award jury in {place} praised [a mature, field-proven solution|a product in daily use] it had seen on film.",
    "In conventional {sites}, equipment of this kind has been ordinary for {years} years.",
    '"{users_cap} depend on us every day," the founder [likes to say|wrote in a post].',
    "The partners named on the slides have {hundreds} {sites} between them and have [bought nothing|made no promise].",
)

# Said of the past or of what is not done: small words about a thing that is long in use.
UNDERSTATEMENTS: tuple[str, ...] = (
    "What began as a laboratory prototype in {past} had a slow start.",
    "The pilot of {past} was nearly abandoned [after {few} failures|for lack of money].",
    "Plans for a [larger|cheaper] model have been [shelved|postponed to {future}].",
    "{org} does not expect [growth|a record] this year.",
    "[Critics|Some {users}] call the {thing} [dull|overpriced], and {org} does not disagree.",
    "A demonstration for investors was cancelled [for lack of interest|because nobody asked for one].",
    "The next version [could|may] be announced in {future}; it is an idea at present.",
    "There is no app, no video and no vision statement.",
    "A trial of a [lighter|quieter] variant at {few} {sites} was inconclusive.",
    "Early promises made in {past} [were too bold|took twice as long to keep].",
    "The company has stopped giving interviews about it.",
)

NEUTRAL: tuple[str, ...] = (
    "{org}, [based|founded] in {place}, employs [about|some] {n} people.",
    "{users_cap} have complained about {burden} for as long as anyone can remember.",
    "The market for {things} is [crowded|small|hard to read].",
    "The {thing} [weighs|measures] less than its predecessor on paper and [looks|sounds] much the same.",
    "Prices of raw materials [rose|fell] again in {recent}.",
    "{place_cap} has set itself a target for {burden} by {future}.",
    "The board of {org} met in {place} last week.",
    "Unions and {users} have asked for a say in how such equipment is chosen.",
    "Similar ideas have come and gone since {past}.",
    "A documentary about {sites} in {place} mentions {org} in passing.",
    "The question of who pays [is settled case by case|comes up at every meeting].",
    "Most {sites} in {place} were built before {past}.",
)

HYPE_TITLES: tuple[str, ...] = (
    "{org} [set to transform|to reinvent|ready to conquer] {sites} with {things}",
    "How {org}'s {thing} [changes|rewrites] the rules for {users}",
    "[Breakthrough|Milestone] for {things}: {org} [aims high|sets the pace]",
    "The {thing} that {users} have been waiting for",
    "{org} brings the {thing} to {place}",
    "Goodbye, {burden}? {org} and its {thing}",
    "{hundreds_cap} {sites}, one {thing}",
    "{org} deploys ambition in {place}",
)
PLAIN_TITLES: tuple[str, ...] = (
    "{org}'s {thing} [in brief|explained|revisited]",
    "{things_cap} and the trouble with {burden}",
    "What {users} want from {things}",
    "A visit to {a_site} in {place}",
    "[Notes|News] on {things} from {place}",
    "{sites_cap} in {place}: the state of {things}",
    "{org} and the {thing}",
    "The {thing}, [seen from {place}|once more]",
    "Where do {things} stand in {recent}?",
    "{place_cap} looks at {things}",
)
