"""The backend beside the Python sources of a Pants: what it uses, what is there, and whether the two fit.

``uses`` reads our sources, ``checkout`` and ``inspected`` a checkout of Pants, ``facts`` keeps what was
found as data, and ``compare`` holds one against the other. Only ``checkout``, ``inspected`` and ``parser``
import Pants.
"""
