"""Prints the circles between the files of a library: circles.py OBJECTS SOURCES

OBJECTS is the directory of its object files, whose tree is that of the sources below SOURCES. X.c, X.S and X.h are one
node, X. It leads to every node whose header it includes and to every node that defines a symbol it uses; so a function
that is declared in one header and defined in several files, one for each host, leads to the file that is linked.
"""

import os
import re
import subprocess
import sys

objects, sources = sys.argv[1:3]


def files_below(directory, suffixes):
    for parent, _, names in os.walk(directory):
        for name in sorted(names):
            if name.endswith(suffixes):
                yield os.path.join(parent, name)


def node_of(path, top):
    return re.sub(r"(\.(c|S|h|inc))?(\.o)?$", "", os.path.relpath(path, top))


def symbols_below(directory):
    """Of each object: the names that it defines for others, and those that it uses of others."""
    paths = list(files_below(directory, (".o",)))
    command = ["nm", "-A", "-g", "--format=posix", *paths]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines() if paths else []
    symbols = {node_of(path, directory): (set(), set()) for path in paths}
    for line in lines:
        path, name, kind = line.split()[:3]
        symbols[node_of(path.rstrip(":"), directory)][kind == "U"].add(name)
    return symbols


def edges_of_includes():
    nodes = {node_of(path, sources) for path in files_below(sources, (".c", ".h", ".S", ".inc"))}
    for path in files_below(sources, (".c", ".h", ".S", ".inc")):
        with open(path, encoding="utf-8") as file:
            for name in re.findall(r'^#include "(.*)"', file.read(), re.MULTILINE):
                target = node_of(os.path.join(sources, name), sources)
                if target not in nodes:
                    sys.exit(f"{os.path.relpath(path, sources)}: no file {name} from the root of the sources")
                yield node_of(path, sources), target


def edges_of_symbols():
    symbols = symbols_below(objects)
    owner = {name: node for node, (defined, _) in symbols.items() for name in defined}
    for node, (_, used) in symbols.items():
        yield from ((node, owner[name]) for name in used if name in owner)


def circles(graph):
    """The strongly connected components of more than one node."""
    order, seen = [], set()

    def visit(node, edges, found):
        seen.add(node)
        for target in sorted(edges.get(node, ())):
            if target not in seen:
                visit(target, edges, found)
        found.append(node)

    for node in sorted(graph):
        if node not in seen:
            visit(node, graph, order)
    reverse = {}
    for node, targets in graph.items():
        for target in targets:
            reverse.setdefault(target, set()).add(node)
    seen.clear()
    for node in reversed(order):
        if node not in seen:
            component = []
            visit(node, reverse, component)
            if len(component) > 1:
                yield sorted(component)


graph = {}
for source, target in [*edges_of_includes(), *edges_of_symbols()]:
    graph.setdefault(source, set()).add(target)
    graph.setdefault(target, set())
for source in graph:
    graph[source].discard(source)
for component in circles(graph):
    print("a circle:", " ".join(component))
    for source in component:
        print("   ", source, "->", " ".join(sorted(graph[source].intersection(component))))
print(len(graph), "files,", sum(map(len, graph.values())), "arrows")
