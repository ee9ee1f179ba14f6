"""Any text that UTF-8 can carry."""

from __future__ import annotations

from functools import partial

from hypothesis import strategies as st

any_text = partial(st.text, st.characters(exclude_categories=["Cs"]))
"""As st.text draws it, which however tries each code point there is first: 8 s, in each worker of a new checkout."""
