"""Texts of the page of a sweep in English and Chinese."""

_PAGE = {
    "section.overview": ("Sweep", "批量仿真概览"),
    "section.spread": ("Spread of the results", "结果分布"),
    "section.effects": ("What matters", "影响因素"),
    "section.runs": ("Runs", "仿真方案"),
    "sweep.below": ("{count} runs by gridsim {version}", "共 {count} 个方案，gridsim {version} 计算"),
    "sweep.failed": (
        "{failed} runs failed and {missing} are missing: the pictures are of the others. The last table says why.",
        "{failed} 个方案失败，{missing} 个方案未运行：以下仅为其余方案的结果，原因见文末表格。",
    ),
    "sweep.hours": (
        "The runs are not of the same number of hours: sums are of the hours simulated.",
        "各方案仿真时长不同：合计值为各自仿真时段之和。",
    ),
    "card.runs_done": ("Runs done", "完成方案数"),
    "card.runs_failed": ("Runs failed", "失败方案数"),
    "card.runs_missing": ("Runs missing", "未运行方案数"),
    "card.run_seconds": ("Time of all runs", "累计计算时间"),
    "measure.cost": ("cost", "成本"),
    "measure.curtailment_rate": ("curtailment rate", "弃电率"),
    "measure.curtailed": ("curtailed", "弃电量"),
    "measure.co2": ("CO2", "碳排放"),
    "measure.unserved": ("unserved", "切负荷电量"),
    "measure.reserve_short": ("reserve short", "备用缺额"),
    "measure.overload": ("overloads", "越限电量"),
    "measure.coal_load_rate": ("load rate of coal", "煤电负荷率"),
    "measure.gap": ("gap, mean", "平均间隙"),
    "axis.measure": ("{measure} [{unit}]", "{measure} [{unit}]"),
    "axis.runs": ("runs", "方案数"),
    "axis.mean_of": ("mean {measure} [{unit}]", "{measure}均值 [{unit}]"),
    "axis.against": ("{x} and {y}", "{x}与{y}"),
    "heat.option": ("{measure}: {x} and {y}", "{measure}：{x} × {y}"),
    "effect.low": ("lowest", "最低"),
    "effect.high": ("highest", "最高"),
    "table.run": ("run", "方案"),
    "table.status": ("status", "状态"),
    "table.seconds": ("time [s]", "用时 [s]"),
    "status.done": ("done", "完成"),
    "status.failed": ("failed", "失败"),
    "status.missing": ("missing", "未运行"),
    "sweep.exit": ("exit code {code}: {message}", "退出码 {code}：{message}"),
}
_CHARTS = {
    "chart.distribution": ("Distribution", "分布"),
    "chart.distribution.note": (
        "Each dot is a run. The box has the middle half of them, its line is the median.",
        "每点为一个方案；箱体为中间 50%，线为中位数。",
    ),
    "chart.histogram": ("Number of runs", "频数"),
    "chart.histogram.note": ("How many runs came to what.", "各区间内的方案数。"),
    "chart.parallel": ("All runs at once", "平行坐标"),
    "chart.parallel.note": (
        "Each line is a run, coloured by the cost. Drag along an axis to keep some, drag its name to move it.",
        "每条线为一个方案，颜色为成本。沿轴拖动可筛选，拖动轴名可移动。",
    ),
    "chart.tradeoff": ("One against another", "两两关系"),
    "chart.tradeoff.note": (
        "Each dot is a run; the colour is the first axis of the study.",
        "每点为一个方案，颜色为研究的第一个变量。",
    ),
    "chart.tornado": ("What moves it", "敏感性"),
    "chart.tornado.note": (
        "From the lowest to the highest mean over the runs with the same value of an axis, against the mean of all; "
        "a number with many values is cut into three groups.",
        "同一变量各取值下方案均值的最低与最高，相对全部方案的均值；取值多的数值变量分为三组。",
    ),
    "chart.grid": ("By two axes", "双因素"),
    "chart.grid.note": ("Mean over the runs with the same two values.", "两变量取值相同的方案的均值。"),
    "chart.run_table": ("Every run", "全部方案"),
    "chart.run_table.note": ("Failures stand first. Click a heading to sort.", "失败方案在前，点击表头排序。"),
}
WORDS: dict[str, tuple[str, str]] = {**_PAGE, **_CHARTS}
