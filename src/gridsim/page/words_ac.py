"""Texts of the AC check in English and Chinese."""

WORDS = {
    "section.ac": ("AC check", "交流潮流校核"),
    "chart.ac_voltage": ("Voltages", "节点电压"),
    "chart.ac_voltage.note": (
        "Highest and lowest of all buses; hours that did not converge are gaps.",
        "全部节点的最高与最低电压；未收敛或未校核的时段留空。",
    ),
    "chart.ac_loss": ("Losses of the AC flow by hour and day", "交流网损时段分布"),
    "chart.ac_loss.note": (
        "Lost in branches. Grey: not looked at, or not converged.",
        "支路有功损耗；灰色为未校核或未收敛时段。",
    ),
    "chart.ac_buses": ("Buses with the lowest and highest voltages", "电压最低与最高的节点"),
    "chart.ac_buses.note": (
        "The hour is that of the voltage further from 1. Click a heading to sort, an hour to see it above.",
        "时刻为偏离 1 p.u. 较远的电压所在小时。点击表头排序，点击时刻可在上方图中查看。",
    ),
    "chart.ac_branches": ("Branches with the highest AC loading", "交流负载率最高的支路"),
    "chart.ac_branches.note": (
        "Current over rating, beside the DC flow of the same hour; hours beyond the rating in AC and not in DC.",
        "电流与额定值之比，并列同一小时的直流潮流负载率；越限小时数仅统计直流潮流未越限的时段。",
    ),
    "chart.ac_interfaces": ("Interfaces in AC", "断面交流潮流"),
    "chart.ac_interfaces.note": (
        "In the hour nearest to the limit: AC flow, measured where each branch begins, beside the DC flow; "
        "hours beyond the limit in AC and not in DC.",
        "取最接近限额的一小时：交流潮流（按支路首端计）与同一小时的直流潮流；越限小时数仅统计直流潮流未越限的时段。",
    ),
    "axis.vm": ("voltage [p.u.]", "电压 [p.u.]"),
    "ac.highest": ("highest", "最高"),
    "ac.lowest": ("lowest", "最低"),
    "table.bus": ("bus", "节点"),
    "table.branch": ("branch", "支路"),
    "table.interface": ("interface", "断面"),
    "column.vm_low": ("lowest, p.u.", "最低 p.u."),
    "column.vm_high": ("highest, p.u.", "最高 p.u."),
    "column.vm_outside": ("hours outside 0.95-1.05", "超出 0.95-1.05 小时数"),
    "column.loading_ac": ("AC, % of rating", "交流负载率 %"),
    "column.loading_dc": ("DC, % of rating", "直流负载率 %"),
    "column.flow_ac": ("AC, MW", "交流 MW"),
    "column.flow_dc": ("DC, MW", "直流 MW"),
    "column.of_limit_ac": ("AC, % of limit", "交流占限额 %"),
    "column.ac_only": ("hours beyond in AC only", "仅交流越限小时数"),
}
