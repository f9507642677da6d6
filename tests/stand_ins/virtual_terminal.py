"""A terminal in memory, which knows what `edge.view.screen` may send and nothing else."""

from __future__ import annotations

import re
import unicodedata


class VirtualTerminal:
    """What a terminal shows after the codes that `edge.view.screen` may send (ECMA-48); any other one is an error."""

    CODE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\x1b|[^\x1b]")

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.cursor_shown = True
        self.column = self.row = 0
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """Begin with an empty screen of another size, on which a program has to draw all anew."""
        self.columns, self.rows = columns, rows
        self.column = self.row = 0
        self.lines = [[" "] * columns for _ in range(rows)]

    @property
    def text(self) -> list[str]:
        """The lines down to the last one that is not empty, without blanks at their ends."""
        lines = ["".join(line).rstrip() for line in self.lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def feed(self, text: str) -> None:
        for code in self.CODE.finditer(text):
            if code[3] is None:
                self._show(code[0])
            else:
                self._obey(code[1], code[2], code[3])

    def _show(self, character: str) -> None:
        if character == "\n":
            self.row += 1
            if self.row == self.rows:
                self.row -= 1
                self.lines = [*self.lines[1:], [" "] * self.columns]
        elif character == "\r":
            self.column = 0
        else:
            assert character.isprintable(), f"a terminal would obey {character!r}"
            width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            self.lines[self.row][self.column : self.column + width] = [character, ""][:width]
            self.column += width
            assert self.column < self.columns, "drawn to the last column"

    def _obey(self, private: str, parameters: str, final: str) -> None:
        if final == "m":
            assert re.fullmatch(r"[0-9;]+", parameters)
        elif (private, parameters, final) in (("?", "25", "h"), ("?", "25", "l")):
            self.cursor_shown = final == "h"
        elif final in "AC" and parameters.isdigit():
            assert final == "C" or self.row >= int(parameters), "above the screen"
            self.row -= int(parameters) if final == "A" else 0
            self.column += int(parameters) if final == "C" else 0
        else:
            assert (private, parameters) == ("", ""), (private, parameters, final)
            self._erase_or_go_home(final)

    def _erase_or_go_home(self, final: str) -> None:
        if final == "H":
            self.column = self.row = 0
            return
        assert final in "JK"
        self.lines[self.row][self.column :] = [" "] * (self.columns - self.column)
        if final == "J":
            self.lines[self.row + 1 :] = [[" "] * self.columns for _ in range(self.rows - self.row - 1)]
