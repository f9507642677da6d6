"""The pieces of the page that `edge.report` writes: words, drawings, cards, the table, the frame around them."""
