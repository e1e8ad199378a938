"""A real D-FINE of random weights, as small as its configuration allows."""

from pathlib import Path

import pytest
import torch
from transformers import DFineConfig, DFineForObjectDetection, HGNetV2Config, RTDetrImageProcessor

from app.detector.benching import tell_places_apart

SIDE = 128


@pytest.fixture(scope="session")
def tiny_dfine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder in the transformers format, with two classes."""
    torch.manual_seed(7)
    backbone = HGNetV2Config(
        embedding_size=4,
        hidden_sizes=[16, 64, 128, 256],
        depths=[1, 1, 2, 1],
        stem_channels=[3, 4, 4],
        stage_in_channels=[4, 16, 64, 128],
        stage_mid_channels=[4, 8, 16, 32],
        stage_out_channels=[16, 64, 128, 256],
        stage_num_blocks=[1, 1, 2, 1],
        stage_downsample=[False, True, True, True],
        stage_light_block=[False, False, True, True],
        stage_kernel_size=[3, 3, 5, 5],
        stage_numb_of_layers=[3, 3, 3, 3],
        stage_downsample_strides=[2, 2, 2, 2],
        out_indices=[2, 3, 4],
    )
    config = DFineConfig(
        backbone_config=backbone,
        encoder_hidden_dim=64,
        encoder_in_channels=[64, 128, 256],
        encoder_ffn_dim=64,
        feat_strides=[8, 16, 32],
        decoder_in_channels=[64, 64, 64],
        d_model=64,
        decoder_layers=2,
        decoder_ffn_dim=64,
        decoder_attention_heads=4,
        encoder_attention_heads=4,
        num_queries=20,
        decoder_n_points=[3, 6, 3],
        depth_mult=0.34,
        hidden_expansion=0.34,
        num_denoising=0,
        id2label={0: "person", 1: "sports ball"},
        label2id={"person": 0, "sports ball": 1},
    )
    folder = tmp_path_factory.mktemp("tiny-dfine")
    model = DFineForObjectDetection(config)
    tell_places_apart(model)
    model.save_pretrained(folder)
    RTDetrImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder
