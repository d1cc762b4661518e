"""Whether a metric is to be minimized or maximized, by its name."""

from __future__ import annotations

import re

MINIMIZE, MAXIMIZE = "minimize", "maximize"
_MINIMIZED_WORDS = (
    "loss error errors err rmse mse mae mape smape msle rmsle logloss nll bce ce entropy "
    "perplexity ppl wer cer ter fid kid kl divergence distance regret latency time duration "
    "seconds ms memory cost brier ece hinge lpips eer hausdorff bpc bpb misclassified"
)
_MAXIMIZED_WORDS = (
    "accuracy acc auc auroc roc f1 fscore precision recall r2 score bleu rouge meteor map ap "
    "iou miou dice jaccard reward return returns throughput psnr ssim ndcg mrr hit hits "
    "sensitivity specificity kappa mcc correlation pearson spearman likelihood elbo top1 top5 "
    "wins winrate sharpe speedup"
)


def guess(name: str) -> str | None:
    """The goal that the words of the name suggest, such as ``minimize`` for ``val_loss``."""
    words = re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*(?![a-z])|\d+", name)
    lower = {word.lower() for word in words} | {name.lower()}
    if lower & set(_MINIMIZED_WORDS.split()):
        return MINIMIZE
    return MAXIMIZE if lower & set(_MAXIMIZED_WORDS.split()) else None
