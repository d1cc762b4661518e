"""The short name of a run, such as brisk-otter-12 (Python 3.6+).

It follows from the ID alone, so runs of all versions have one. The lists and their order never
change: names are in people's notes.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:  # without OpenSSL, which takes 2 ms to load
        from _sha256 import sha256
    except ImportError:
        try:
            from _sha2 import sha256
        except ImportError:
            from hashlib import sha256

_ADJECTIVES = """
able adept agile airy alert alpine ancient arctic ardent artful astute atomic avid awake balmy
beaming bold bouncy brainy brave breezy bright brisk bronze bubbly buoyant busy calm candid
careful casual central cheery chipper civic classic clean clever coastal comfy cool coral cordial
cosmic crafty crimson crisp curious curly dainty dancing dapper daring dashing deft devoted
digital direct dreamy driven durable dynamic eager early earthy easy elated elegant eminent epic
ethical expert fabled famous fancy fast festive fleet floral fluent fluffy flying fresh frosty
frugal fuzzy gallant genial gentle genuine gifted glad gleeful glossy glowing golden grand grassy
green handy happy healthy hearty helpful heroic honest hopeful humble humming icy ideal indigo
intact jaunty jazzy jolly jovial joyful keen kind lasting lavish leafy light lilac limber lively
lofty logical loyal lucid lucky lunar magenta magic marine mellow mighty mild modern modest
musical mutual nimble noble notable novel oaken open orange orderly organic ornate patient peachy
placid playful pleased poetic poised polite precise prime proper proud purple quaint quick quiet
quirky radiant rapid rare ready refined regal relaxed robust rolling round roving rugged rural
rustic scarlet scenic secure serene shiny silent silken silver simple sincere singing skilled
sleepy smart smiling smooth snappy snowy snug social soft solar solid sparkly speedy sporty spry
square stable starry stately steady stellar stoic strong sturdy stylish subtle sunny superb swift
tactful thrifty tidal timely tiny trim true trusty tuneful unique upbeat upright useful valiant
varied velvet verdant vibrant vital vivid warm winged winning winter wise witty worthy zany
zealous zesty zippy
""".split()
_NOUNS = """
acacia acorn alder almond alpaca anchor apricot aspen aster avocado badger bagel bamboo banjo
barley beacon birch biscuit bison blossom bobcat boulder bramble bridge buffalo cactus camel canoe
canyon caribou cashew castle cat cavern cedar cello cheetah coconut compass condor cookie corgi
coyote crane crater cricket crocus dingo dolphin dove dragon duck dune eagle elk ember emu falcon
feather fennel fern ferret fiddle fig finch firefly flute fox garden garlic gazelle gecko gerbil
giraffe glacier goose gopher gorge grove guppy hammock hamster harp hawk heron herring hippo ibex
ibis iceberg iguana island jetty jigsaw jungle kayak kelp kestrel kettle kite kiwi koala ladybug
lagoon lake lantern larch lark ledge lemon lemur lentil leopard linden lion lizard lobster macaw
magpie mallard mammoth manatee mango mantis maple marble marlin marmot meadow meerkat mesa meteor
millet minnow mint mirror mitten monsoon moon moss moth mouse narwhal nebula newt nutmeg oasis
ocean ocelot octopus orbit orca orchid oregano origami oriole osprey ostrich otter owl oyster
pagoda pancake panda panther papaya parrot parsley parsnip peanut pebble pecan pelican penguin
pepper petal piano pickle pika pine planet plateau pony poodle popcorn poplar possum potato
prairie pretzel puffin pumpkin puzzle quail quarry quasar quince quokka rabbit radish rainbow
raven ravine reef rocket saddle saffron salmon sandbar sapling sardine satchel seal sesame sky
spaniel sparrow spinach spruce squid star stork stream summit sunrise swan teapot thicket thistle
tiger toffee tomato toucan trout tulip tundra turnip turtle unicorn valley violin volcano vole
voyage waffle wagon wallaby walnut walrus warbler window wolf wombat yak zebra zephyr
""".split()
_NUMBERS = 99


def short_name(run_id: str) -> str:
    """The short name of the run ``run_id``: an adjective, a noun and a number from 1 to 99."""
    digest = sha256(run_id.encode("utf-8", "surrogateescape")).digest()
    number = int.from_bytes(digest[2:6], "big") % _NUMBERS + 1
    return "{}-{}-{}".format(_ADJECTIVES[digest[0]], _NOUNS[digest[1]], number)
