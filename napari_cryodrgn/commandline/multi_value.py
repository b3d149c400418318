"""Options that take several numbers, as cryoDRGN writes them: ``-z 0.1 -0.2 3``.

The option parser below typer takes one value for each occurrence of an option,
and would read ``-0.2`` as an option of its own. The words are therefore
rewritten first: ``-z 0.1 -z -0.2 -z 3``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def repeat_options(words: Sequence[str], list_options: Mapping[str, Collection[str]]) -> list[str]:
    """Rewrite the words of a command so that each number has its option before it.

    Parameters
    ----------
    words : sequence of str
        The command and what follows it.
    list_options : mapping of str to collection of str
        For each command its options that take any number of numbers.

    Returns
    -------
    list of str
        All that stand after such an option and are numbers, signs and exponents
        included, belong to it; the first word that is none ends it.
    """
    if not words or words[0] not in list_options:
        return list(words)
    options = list_options[words[0]]
    rewritten: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            return [*rewritten, word, *words[position:]]
        rewritten.append(word)
        option = _option_of(word, options)
        if option is None:
            continue
        if word == option and position < len(words):
            # Its first value, whatever it is: the parser says what is wrong with it.
            rewritten.append(words[position])
            position += 1
        while position < len(words) and is_number(words[position]):
            rewritten += [option, words[position]]
            position += 1
    return rewritten


def is_number(word: str) -> bool:
    """Whether a word is a number rather than an option or a file."""
    try:
        float(word)
    except ValueError:
        return False
    # Folders may be called 'nan' or 'infinity', latent coordinates never are.
    return any(character.isdigit() for character in word)


def _option_of(word: str, options: Collection[str]) -> str | None:
    """The list option that a word is, or begins with: '-z', '-z0.5', '--particles=3'."""
    for option in options:
        if word == option or word.startswith(f"{option}="):
            return option
        is_short = not option.startswith("--")
        if is_short and word.startswith(option) and is_number(word[len(option) :]):
            return option
    return None
