"""One Xapian index, driven by lines of JSON, each answered by one. Times its own work."""
import json
import os
import re
import sys
import time

import xapian

NAME_BOOST = 5
TAGS_BOOST = 2
NAME_PREFIX = "S"
WEIGHT_SLOT = 0
# Spelling is corrected by a dictionary of all words, the slower way to index.
INDEX_FLAGS = xapian.TermGenerator.FLAG_SPELLING


def resident_bytes():
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Engine:
    def __init__(self, folder):
        self.database = xapian.WritableDatabase(os.path.join(folder, "xapian"), xapian.DB_CREATE_OR_OPEN)
        self.generator = xapian.TermGenerator()
        self.generator.set_stemmer(xapian.Stem("en"))
        self.generator.set_database(self.database)
        self.generator.set_flags(INDEX_FLAGS)
        self.parser = xapian.QueryParser()
        self.parser.set_stemmer(xapian.Stem("en"))
        self.parser.set_stemming_strategy(xapian.QueryParser.STEM_SOME)
        self.parser.set_database(self.database)
        self.parser.set_default_op(xapian.Query.OP_OR)

    def put(self, packages):
        for package in packages:
            document = xapian.Document()
            self.generator.set_document(document)
            self.generator.index_text(package["name"], NAME_BOOST)
            self.generator.increase_termpos()
            self.generator.index_text(package["tags"], TAGS_BOOST)
            self.generator.increase_termpos()
            self.generator.index_text(package["description"])
            weight = min(package["dependents"], 1000) ** 0.5
            document.add_value(WEIGHT_SLOT, xapian.sortable_serialise(weight))
            self.database.replace_document(package["id"], document)

    def search(self, text, limit, prefix=False, typos=False, weighted=False):
        # What would be an operator to it is not one to who searches.
        text = " ".join(re.findall(r"\w+", text.lower())).replace("_", " ")
        flags = xapian.QueryParser.FLAG_PARTIAL if prefix else 0
        query = self.parser.parse_query(text, flags)
        if typos:
            corrected = xapian.QueryParser.FLAG_SPELLING_CORRECTION
            self.parser.parse_query(text, corrected)
            right = self.parser.get_corrected_query_string()
            if right:
                query = xapian.Query(xapian.Query.OP_OR, query, self.parser.parse_query(right, flags))
        if weighted:
            source = xapian.ValueWeightPostingSource(WEIGHT_SLOT)
            query = xapian.Query(xapian.Query.OP_AND_MAYBE, query, xapian.Query(source))
        enquire = xapian.Enquire(self.database)
        enquire.set_query(query)
        return [match.docid for match in enquire.get_mset(0, limit)]


def main():
    answer(0, None)
    engine = Engine(sys.argv[1])
    for line in sys.stdin:
        command = json.loads(line)
        started = time.perf_counter()
        packages = None
        if "put" in command:
            engine.put(command["put"])
        elif "flush" in command:
            engine.database.commit()
        else:
            packages = engine.search(command.pop("search"), **command)
        answer((time.perf_counter() - started) * 1000, packages)


def answer(elapsed_ms, packages):
    reply = {"elapsedMs": elapsed_ms, "residentBytes": resident_bytes()}
    if packages is not None:
        reply["packages"] = packages
    print(json.dumps(reply), flush=True)


main()
