"""An answer in words: what was found, where, how sure that is and what to do next, in every language that we speak.

Each package keeps its own phrases, in a module `words`, and their translations, in its folder `locale`. `make words`
brings the catalogues up to date with the phrases.
"""
