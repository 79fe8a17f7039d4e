"""A row of each published dataset as it is to be worded, written out by hand."""

# one row of each dataset: its place, and by format what is read and the answers that may follow, the right one marked
YES = [" yes", "> no"]
EXPECTED = {
    ("anthropic-hh", 4): {
        "default": (
            "Human: Hello! Is it safe to eat the green parts of a potato?\n\nAssistant: No, they hold solanine, which "
            "is poisonous.\n\nHuman: And if I boil them?\n\nAssistant:",
            ["> Boiling does not help much, so cut them off before you cook."],
        ),
        "io": (
            "Input: Hello! Is it safe to eat the green parts of a potato?\nOutput: No, they hold solanine, which is "
            "poisonous.\nInput: And if I boil them?\nOutput:",
            ["> Boiling does not help much, so cut them off before you cook."],
        ),
        "instruct": (
            "Read the conversation and write what the assistant says next.\n\nUser: Hello! Is it safe to eat the green "
            "parts of a potato?\n\nAssistant: No, they hold solanine, which is poisonous.\n\nUser: And if I boil them?"
            "\n\nWhat the assistant says:",
            ["> Boiling does not help much, so cut them off before you cook."],
        ),
        "chat": (
            "user: Hello! Is it safe to eat the green parts of a potato?|assistant: No, they hold solanine, which is "
            "poisonous.|user: And if I boil them?",
            [">Boiling does not help much, so cut them off before you cook."],
        ),
    },
    ("anthropic-hh", 3): {  # an answer with empty lines
        "default": (
            "Human: List three rivers.\n\nAssistant:",
            ["> Here are three:\n\n- the Rhine\n\n- the Volga\n\n- the Ebro"],
        ),
    },
    ("anthropic-hh", 7): {  # a name within a line starts no turn
        "chat": ("user: What does Human: mean in your transcripts?", [">It marks what you say."]),
    },
    ("arc-easy", 2): {
        "default": ("Question: Which animal hatches from an egg?\nAnswer:", [" horse", " bat", "> duck", " seal"]),
        "lettered": (
            "Question: Which animal hatches from an egg?\nA. horse\nB. bat\nC. duck\nD. seal\nAnswer:",
            [" A", " B", "> C", " D"],
        ),
        "chat": (
            "user: Which animal hatches from an egg? Just the answer, please.",
            ["horse", "bat", ">duck", "seal"],
        ),
    },
    ("arc-challenge", 8): {
        "io": (
            "Input: Which of these carries information from parents to offspring?\nOutput:",
            ["> DNA", " blood sugar", " bone"],
        ),
        "lettered": (
            "Question: Which of these carries information from parents to offspring?\n"
            "A. DNA\nB. blood sugar\nC. bone\nAnswer:",
            ["> A", " B", " C"],
        ),
    },
    ("boolq", 8): {
        "default": (
            "Chess -- Chess is recognised as a sport by the International Olympic Committee, but it is not part of the "
            "Olympic Games. Since 1927 there have been Chess Olympiads of its own federation.\n"
            "Question: is chess played at the olympic games?\nAnswer:",
            [" yes", "> no"],
        ),
    },
    ("cnn-dailymail", 6): {
        "default": (
            "Article: (Example News) -- Rain fell on the town of Ocre on Thursday for the first time in fourteen "
            "months. "
            "Children who had never seen it were let out of school. The reservoir is still at a tenth of what it "
            "holds, "
            "and water will be brought by train until the winter. Farmers warned that one shower makes no season. But "
            "the brass band played in the square, under umbrellas that people had to borrow.\nHighlights:",
            [
                "> Rain falls on Ocre for the first time in fourteen months .\nReservoir still holds only a tenth of "
                "its water .\nTrains will bring water until the winter ."
            ],
        ),
    },
    ("gpt3nli", 2): {
        "default": (
            "Premise: A boy in a yellow raincoat is jumping over a puddle.\nHypothesis: The boy is asleep in bed.\n"
            "The hypothesis is",
            [" true", " unsure", "> false"],
        ),
        "chat": (
            "user: Suppose this is so: A boy in a yellow raincoat is jumping over a puddle.\n"
            "Is the following then true, false or unsure? The boy is asleep in bed.",
            ["true", "unsure", ">false"],
        ),
    },
    ("gsm8k", 3): {
        "default": (
            "Question: A rope of 20 metres is cut into 3 pieces. Two are 6 metres long. How long is the third?\n"
            "Answer:",
            ["> Two pieces are 2*6=<<2*6=12>>12 metres.\nThe third is 20-12=<<20-12=8>>8 metres.\n#### 8"],
        ),
    },
    ("gsm8k", 1): {
        "instruct": (
            "Solve this problem step by step.\nA bus starts with 14 people. At the first stop 5 get off and 8 get on. "
            "How many are on the bus then?\nAnswer:",
            ["> After 5 get off there are 14-5=<<14-5=9>>9 people.\nThen there are 9+8=<<9+8=17>>17.\n#### 17"],
        ),
    },
    ("hellaswag", 0): {  # the second half of the context begins with a capital letter
        "default": (
            "Polishing shoes: A man sets a pair of brown shoes on a newspaper. He",
            [
                "> opens a tin of polish and dips a rag in it.",
                " throws the newspaper at a passing dog.",
                " eats the laces one after the other.",
                " puts the shoes into the oven and sings.",
            ],
        ),
    },
    ("hellaswag", 3): {
        "default": (
            "Home and Garden: How to clean a birdbath. Empty it. Tip the old water onto the flower bed.",
            [
                " Fill it with milk. Birds are fond of milk and will thank you.",
                " Leave it so, and the birds will do the rest by the end of the year.",
                " Paint the flowers with what is left.",
                "> If leaves stick to the bowl, loosen them with a brush. Scrub it. Use plain water.",
            ],
        ),
    },
    ("hellaswag", 8): {
        "lettered": (
            "Skipping rope: Two girls turn a long rope in a yard. A boy waits for the right moment and\n"
            "How does it go on?\nA. jumps in.\nB. cuts down a tree.\nC. reads them the news.\n"
            "D. falls asleep on a ladder.\nAnswer:",
            ["> A", " B", " C", " D"],
        ),
    },
    ("llmbar-adversarial", 1): {
        "default": (
            "Instruction: Reply with the word 'pear' and nothing else.\nResponse:",
            [
                " Of course! Here is the word that you asked for, with my best wishes: pear. Pears are rich in "
                "fibre and "
                "taste wonderful with cheese.",
                "> pear",
            ],
        ),
        "chat": (
            "user: Reply with the word 'pear' and nothing else.",
            [
                "Of course! Here is the word that you asked for, with my best wishes: pear. Pears are rich in "
                "fibre and "
                "taste wonderful with cheese.",
                ">pear",
            ],
        ),
    },
    ("llmbar-natural", 0): {
        "lettered": (
            "Instruction: List three colours of the rainbow in alphabetical order.\n"
            "Which response does what the instruction asks for?\nA. Blue, green, red.\nB. Red, orange, "
            "yellow.\nAnswer:",
            ["> A", " B"],
        ),
    },
    ("mnli", 1): {
        "lettered": (
            "Premise: The ferry left the harbour an hour late because a lorry had broken down on the ramp.\n"
            "Hypothesis: The lorry was carrying apples.\nThe hypothesis is\nA. true\nB. unsure\nC. false\nAnswer:",
            [" A", "> B", " C"],
        ),
    },
    ("mnli-mismatched", 4): {
        "io": (
            "Input: uh-huh and then we'd all sit on the porch and shell peas until it got too dark to see\n"
            "Their grandmother told them stories meanwhile.\nOutput:",
            [" true", "> unsure", " false"],
        ),
    },
    ("openbookqa", 6): {
        "default": (
            "Question: If a mirror is broken,\nAnswer:",
            [
                " light passes through it",
                " it becomes a window",
                "> each piece still reflects light",
                " it makes more light",
            ],
        ),
    },
    ("paws", 1): {
        "chat": (
            "user: Compare these two sentences.\nIn 1954 , he moved from Leeds to Hull , where he taught chemistry .\n"
            "He moved from Leeds to Hull in 1954 , where he taught chemistry .\n"
            "Do they say the same? Yes or no, please.",
            [">yes", "no"],
        ),
    },
    ("piqa", 3): {
        "default": (
            "Goal: To cut a cake into even slices,\nAnswer:",
            ["> warm the knife in hot water first.", " warm the plate in hot water first."],
        ),
        "instruct": (
            "Say how this can be done with everyday things.\nTo cut a cake into even slices,\nAnswer:",
            ["> warm the knife in hot water first.", " warm the plate in hot water first."],
        ),
    },
    ("piqa", 7): {
        "lettered": (
            "Goal: tell whether an egg is old\nA. Lay it in water; an old one floats.\n"
            "B. Lay it in water; an old one turns blue.\nAnswer:",
            ["> A", " B"],
        ),
    },
    ("qqp", 3): {
        "default": ("Question 1: Why do cats purr?\nQuestion 2: Why do cats hate water?\nThe same meaning:", YES),
        "lettered": (
            "Question 1: Why do cats purr?\nQuestion 2: Why do cats hate water?\nDo they ask for the same?\n"
            "A. yes\nB. no\nAnswer:",
            [" A", "> B"],
        ),
    },
    ("rte", 6): {
        "instruct": (
            "Read the premise and say whether the hypothesis is true or false.\nThe comet, first seen by a "
            "schoolteacher "
            "in Peru, will pass the Earth at a distance of 40 million kilometres in May.\n"
            "A schoolteacher discovered the comet.\nAnswer:",
            ["> true", " false"],
        ),
    },
    ("sciq", 3): {
        "default": (
            "Question: What is the smallest unit of a chemical element?\nAnswer:",
            [" molecule", "> atom", " cell", " crystal"],
        ),
    },
    ("sciq-passage", 2): {
        "default": (
            "The heart is a hollow muscle that contracts about seventy times a minute. Every beat drives blood into "
            "the arteries.\nQuestion: Which organ pumps blood through the body?\nAnswer:",
            [" lung", " liver", "> heart", " spleen"],
        ),
    },
    ("sciq-passage", 3): {  # without a passage the question stands after an empty line, as others ask it
        "default": (
            "\nQuestion: What is the smallest unit of a chemical element?\nAnswer:",
            [" molecule", "> atom", " cell", " crystal"],
        ),
        "chat": (
            "user: What is the smallest unit of a chemical element? Just the answer, please.",
            ["molecule", ">atom", "cell", "crystal"],
        ),
    },
    ("sciq-questions", 0): {
        "io": (
            "Input: In daylight the leaves of green plants take in carbon dioxide and water, from which they make "
            "sugar. "
            "The oxygen that is left over leaves the plant by small openings on the underside of the leaf.\n"
            "helium\nmethane\nchlorine\noxygen\nOutput:",
            ["> What gas do green plants give off in daylight?"],
        ),
    },
    ("socialiqa", 2): {
        "default": (
            "Question: Sasha practised the same page of music for three weeks before the concert. "
            "Why did Sasha do this?\nAnswer:",
            [" dislike the piano", " forget the date", "> play it without a mistake"],
        ),
    },
    ("socialiqa-questions", 2): {
        "default": (
            "Sasha practised the same page of music for three weeks before the concert.\n"
            "Possible answers: dislike the piano; forget the date; play it without a mistake\nQuestion:",
            ["> Why did Sasha do this?"],
        ),
        "chat": (
            "user: Sasha practised the same page of music for three weeks before the concert. Somebody asks a question "
            "about this, and the answers to choose from are:\nA. dislike the piano\nB. forget the date\n"
            "C. play it without a mistake\nWhat is the question?",
            [">Why did Sasha do this?"],
        ),
    },
    ("stsb", 3): {
        "default": (
            "Sentence 1: The minister resigned on Tuesday over the affair.\n"
            "Sentence 2: The minister resigned over the affair, her office said.\nThe same meaning:",
            ["> yes", " no"],
        ),
    },
    ("stsb", 4): {  # 3.5 itself is not above
        "default": (
            "Sentence 1: A boy is riding a horse along the beach.\nSentence 2: A boy is riding a pony on the sand.\n"
            "The same meaning:",
            [" yes", "> no"],
        ),
    },
    ("tulu", 4): {
        "default": (
            "[user]\nHi! What can I plant in October?\n\n[assistant]\nGarlic, broad beans and many bulbs, if the "
            "ground "
            "is not frozen.\n\n[user]\nAnd how deep goes the garlic?\n\n[assistant]\n",
            [">About five centimetres, with the tip up."],
        ),
        "io": (
            "Input: Hi! What can I plant in October?\nOutput: Garlic, broad beans and many bulbs, if the ground is not "
            "frozen.\nInput: And how deep goes the garlic?\nOutput:",
            ["> About five centimetres, with the tip up."],
        ),
        "chat": (
            "user: Hi! What can I plant in October?|assistant: Garlic, broad beans and many bulbs, if the ground "
            "is not "
            "frozen.|user: And how deep goes the garlic?",
            [">About five centimetres, with the tip up."],
        ),
    },
    ("tweetqa", 5): {
        "default": (
            "Tweet: The museum is closed today since a heron has settled in the lobby. We open when it "
            "leaves.\u2014 Tarn "
            "Museum (@tarnmuseum) June 11, 2018\nQuestion: why is the museum closed?\nAnswer:",
            ["> a heron has settled in the lobby"],
        ),
    },
    ("tweetqa-questions", 5): {
        "instruct": (
            "Write the question about this tweet that has the answer below.\nThe museum is closed today since a "
            "heron has "
            "settled in the lobby. We open when it leaves.\u2014 Tarn Museum (@tarnmuseum) June 11, 2018\n"
            "The answer: a heron has settled in the lobby\nQuestion:",
            ["> why is the museum closed?"],
        ),
    },
    ("winogrande", 1): {
        "default": (
            "The lamp did not fit into the box because the",
            [" lamp was too short.", "> box was too short."],
        ),
        "io": (
            "Input: The lamp did not fit into the box because the\nOutput:",
            [" lamp was too short.", "> box was too short."],
        ),
        "chat": (
            "user: How does this sentence go on so that it makes sense? The lamp did not fit into the box because the",
            ["lamp was too short.", ">box was too short."],
        ),
    },
    ("winogrande", 4): {  # the gap is a part of a word
        "lettered": (
            "Paul borrowed a tent from Omar because\nWhich end makes sense?\nA. Paul's was torn.\n"
            "B. Omar's was torn.\nAnswer:",
            ["> A", " B"],
        ),
    },
    ("xlsum", 8): {
        "chat": (
            "user: What does this article report? Answer with one sentence.\n\nThe new bank notes of the islands "
            "will bear "
            "no kings or poets, but a potato, a herring and a sheep.\n\nThe designs won a public vote in which 61% "
            "took "
            'part. The central bank had hoped for lighthouses.\n\n"They kept us alive," said designer Eva Thom. "The '
            'poets can have the coins."',
            [">Islanders have voted to put a potato, a herring and a sheep on their money."],
        ),
    },
    ("xsum", 3): {
        "default": (
            "Article: Ten-year-old Devi Rao has become the youngest player to beat a grandmaster at the national "
            "open.\n"
            "She won with black in 58 moves after her opponent, three times champion Karl Moss, let an hour pass "
            "over a "
            "sacrifice.\nRao learned the game from her grandmother at six and plays at a library in the suburbs, where "
            'the club has no clock of its own.\nMoss said afterwards that he had been "taught a lesson in patience".\n'
            "She meets the leader of the tournament in the next round.\nSummary:",
            ["> A girl of ten has beaten a chess grandmaster, the youngest to do so at the national open."],
        ),
    },
}
