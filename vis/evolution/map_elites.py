"""Evolution towards many goals at once: for each goal the best that was ever found is kept (MAP-Elites).

    child <- a changed copy of a champion that is chosen by chance
    it takes the place of every champion that it beats at that one's own goal

A picture that is on its way to one class may turn out the best so far for another, from where it goes on: the goals
help each other. The first champions come from random genomes.
Mouret & Clune, Illuminating Search Spaces by Mapping Elites, 2015; Cully, Clune, Tarapore & Mouret, Nature 2015
"""

import numpy as np


class Elites:
    """The champions.

    genomes  [genome or None], one a goal
    values   (goals,) float64: how good each is at its own goal; -inf where there is none
    """

    def __init__(self, goals):
        self.genomes, self.values = [None] * goals, np.full(goals, -np.inf)

    def offer(self, genomes, values):
        """The best of these at each goal takes the champion's place where it is better; ties leave it.

        values  (len(genomes), goals)
        """
        best = values.argmax(axis=0)
        for goal in np.flatnonzero(values[best, np.arange(len(best))] > self.values):
            self.genomes[goal], self.values[goal] = genomes[best[goal]], values[best[goal], goal]

    def parents(self, count, rng):
        """So many champions, each chosen by chance among all goals'."""
        return [self.genomes[goal] for goal in rng.integers(len(self.genomes), size=count)]


def evolve(encoding, judge, children, rng):
    """Yields the Elites after each generation, without end; the first generation is random.

    encoding  Direct, Cppn or the like: random(rng), mutate(genome, rng, generation), picture(genome) -> (C, H, W)
    judge     function of pictures (N, C, H, W) uint8 -> values (N, goals), none of them NaN
    children  new genomes a generation
    """
    elites, generation = None, 0
    genomes = [encoding.random(rng) for _ in range(children)]
    while True:
        values = judge(np.stack([encoding.picture(genome) for genome in genomes]))
        elites = elites or Elites(values.shape[1])
        elites.offer(genomes, values)
        yield elites
        genomes = [encoding.mutate(parent, rng, generation) for parent in elites.parents(children, rng)]
        generation += 1
