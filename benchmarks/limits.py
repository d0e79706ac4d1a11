"""What limits the figures that miss their targets, and what was tried: Markdown, by subject."""

LIMITS = {
    "training": """What limits it: a step of the notebook's network is 18 calls of torch's operators, of 1 to 4 us
each; the same calls without any of Parity's code take as long. scikit-learn's are numpy's,
which take less each. Of 1M x 30, products and Adam's kernel take most of the time in every
library on torch; Parity also counts the columns' ranges and evaluates held-out rows.""",
    "export": """What limits it: torch's exporter takes about four fifths of the processor's time, the gate's
calls of one row most of the rest. Answers that several configurations give alike are compared
once.""",
    "predictor": """What limits it: for one row, binding and copying without any check take 0.66 to 0.69 of a raw
run; a private method of onnxruntime's session would save another 0.05, and is not used. For
10M rows, looking at the cells inside the tiles gained nothing; a graph without the outputs
that nobody reads was 6 % faster, and its fusions may change bits. Two threads share the
memory's bandwidth.""",
    "start": """What limits it: about 50 modules of Parity's, of half a millisecond each, that read the package
and write the table. Readers of tables, archives, logging and threads are imported only where
they are needed.""",
    "install": """What limits it: as for a first answer, the modules. Of the size onnxruntime and numpy are 155
MB.""",
    "serving": """What limits it: a handler that does nothing, on the same server, takes 5 to 6 times as long as
XOR's 1,000 rows; the rest is reading and spelling floats, and the checks of a request. Small
requests are answered where they are read, without a task or a thread. For networks of usual
size both targets are met.""",
}
