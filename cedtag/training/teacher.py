"""A small convolutional network, which learns more from a few hundred clips than a transformer, and can teach one."""

from __future__ import annotations

from torch import Tensor, nn

FEWEST_FRAMES = 16
WIDTHS = (16, 32, 64, 128)
# After so many stages a place of the map is a square of 16 mel bins and frames, as large as a CED's patch.
NUM_MAPPING_STAGES = 3
MAP_CHANNELS = WIDTHS[NUM_MAPPING_STAGES - 1]


class ConvTeacher(nn.Module):
    """Log-mel `(clips, mels, frames)` to logits `(clips, classes)`, for any number of frames from FEWEST_FRAMES."""

    def __init__(self, num_mels: int, num_classes: int) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm1d(num_mels)
        inputs = (1, *WIDTHS)
        self.stages = nn.Sequential(
            *(_stage(inputs[i], width, stride=2 if i == 0 else 1) for i, width in enumerate(WIDTHS))
        )
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(WIDTHS[-1], num_classes))

    def forward(self, features: Tensor) -> Tensor:
        return self.forward_features(features)[0]

    def forward_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the feature map `(clips, MAP_CHANNELS, mels / 16, frames / 16)`, rounded up, for hints."""
        feature_map = self.stages[:NUM_MAPPING_STAGES](self.input_norm(features)[:, None])
        over_mels = self.stages[NUM_MAPPING_STAGES:](feature_map).mean(2)
        return self.head(over_mels.mean(-1) + over_mels.amax(-1)), feature_map


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.AvgPool2d(2, ceil_mode=True),
    )
