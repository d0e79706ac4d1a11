"""The notebook's own code, run as it stands, and its weights answered by a package."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from tests.warm_process import WarmProcess

pytestmark = pytest.mark.slow

NOTEBOOK = """
import numpy as np
import torch
import torch.nn as nn
import torch.utils.data as data

torch.manual_seed(1234)

class XOR_Classifier_Module(nn.Module):
    def __init__(self, num_inputs, num_hidden, num_outputs):
        super().__init__()
        self.linear1 = nn.Linear(num_inputs, num_hidden)
        self.activation_f1 = nn.Tanh()
        self.linear2 = nn.Linear(num_hidden, num_outputs)
        self.activation_sig = nn.Sigmoid()

    def forward(self, x):
        x = self.linear1(x)
        x = self.activation_f1(x)
        x = self.linear2(x)
        x = self.activation_sig(x)
        return x

class XORDataset(data.Dataset):
    def __init__(self, size, std=0.1):
        super().__init__()
        points = torch.randint(low=0, high=2, size=(size, 2), dtype=torch.float32)
        self.label = (points.sum(dim=1) == 1).to(torch.long)
        points += std * torch.randn(points.shape)
        self.data = points

    def __len__(self):
        return len(self.data)

    def __getitem__(self, idx):
        return self.data[idx], self.label[idx]

def main():
    model = XOR_Classifier_Module(num_inputs=2, num_hidden=4, num_outputs=1)
    loader = data.DataLoader(XORDataset(size=5000), batch_size=128, shuffle=True)
    loss_module = nn.BCELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    model.train()
    for epoch in range(4):
        for data_inputs, data_labels in loader:
            optimizer.zero_grad()
            preds = model(data_inputs).squeeze(dim=1)
            loss = loss_module(preds, data_labels.float())
            loss.backward()
            optimizer.step()
    torch.save(model.state_dict(), "our_model.tar")
    points = XORDataset(size=500).data
    with torch.no_grad():
        np.savez("answers.npz", points=points.numpy(), preds=model.eval()(points).numpy())

if __name__ == "__main__":
    main()
"""

AS_A_SCRIPT = "import runpy; runpy.run_path('notebook.py', run_name='__main__')"


def test_a_state_dict_of_the_notebook_gives_the_notebook_s_probabilities(warm: WarmProcess, tmp_path: Path) -> None:
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    learned = warm.run(["-c", AS_A_SCRIPT], cwd=tmp_path)
    assert learned.returncode == 0, learned.err
    exported = warm.run(
        ["export", "notebook:XOR_Classifier_Module", "packages/xor", "--weights", "our_model.tar",
         "--arg", "num_inputs=2", "--arg", "num_hidden=4", "--arg", "num_outputs=1",
         "--input", "features: float32[batch, 2]", "--task", "binary", "--output", "probabilities",
         "--no-plots", "--effort", "quick"],
        cwd=tmp_path,
    )  # fmt: skip
    assert exported.returncode == 0, exported.err
    answers = np.load(tmp_path / "answers.npz")
    found = Predictor(tmp_path / "packages" / "xor").predict_proba(answers["points"])[:, 1:]
    assert np.abs(found - answers["preds"]).max() <= 2e-6


def test_make_help_lists_every_target_for_a_person() -> None:
    root = Path(__file__).parents[2]
    text = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True, env=os.environ).stdout
    listed = {line.split()[1] for line in text.splitlines()}
    assert listed >= {"help", "install", "demo", "train", "export", "verify", "predict", "evaluate", "plots", "test",
                      "lint", "typecheck", "clean"}  # fmt: skip
