"""Every text of the page in English and Chinese. ``{name}`` in a text is filled in by `Payload.say`.

Technologies, cities and sections of the built-in grid are in the table too; a name that it does not have is shown as it
is in both languages.
"""

from gridsim.palette import label_of

LANGUAGES = ("en", "zh")

_PAGE = {
    "title": ("Dispatch report", "调度仿真报告"),
    "language": ("Language", "语言"),
    "made_by": (
        "{hours} hours from {start}, by gridsim {version}",
        "自 {start} 起 {hours} 小时，gridsim {version} 计算",
    ),
    "section.headline": ("Headline figures", "主要指标"),
    "section.dispatch": ("Dispatch", "电力电量平衡"),
    "section.curtailment": ("Curtailment", "弃风弃光"),
    "section.certificate": ("Certificate", "最优性证明"),
}
_CONTROLS = {
    "view.year": ("whole run", "全时段"),
    "view.week": ("week", "周"),
    "view.day": ("day", "日"),
    "view.show": ("Show", "显示"),
    "view.before": ("earlier", "前移"),
    "view.after": ("later", "后移"),
    "day.peak": ("highest load", "最大负荷日"),
    "day.valley": ("lowest net load", "最小净负荷日"),
    "day.curtailed": ("most curtailment", "弃电最多日"),
}
_CARDS = {
    "card.load": ("Load served", "用电量"),
    "card.peak": ("Highest load", "最大负荷"),
    "card.clean": ("Not from fossil fuel", "非化石电量占比"),
    "card.curtailed": ("Curtailed", "弃电量"),
    "card.curtailment_rate": ("Curtailment rate", "弃电率"),
    "card.co2": ("CO2", "碳排放"),
    "card.cost": ("Total cost", "总成本"),
    "card.gap": ("Mean gap of a window", "窗口平均最优间隙"),
    "card.unserved": ("Unserved", "切负荷电量"),
    "card.reserve_short": ("Reserve short", "备用缺额"),
    "card.peak_valley": ("Peak-valley of net load", "净负荷峰谷差"),
    "card.peak_valley_after": ("Left for coal", "煤电承担峰谷差"),
    "card.coal_load_rate": ("Load rate of coal", "煤电负荷率"),
    "card.overload": ("Overloads", "断面及线路越限"),
}
_CHARTS = {
    "chart.dispatch": ("Power by technology", "分类型发电出力"),
    "chart.dispatch.note": (
        "Stacked from zero: what feeds the grid. Below zero: charging and exports. Hatched: curtailed or unserved. "
        "The whole run is shown as means of days, a week or a day hour by hour. Drag to zoom, double-click to go back.",
        "零线以上为上网出力，零线以下为充电与外送，斜线为弃电或切负荷。全时段按日平均显示，周、日按小时显示。"
        "拖动可放大，双击还原。",
    ),
    "chart.energy": ("Energy by technology", "分类型电量"),
    "chart.energy.note": (
        "Stores: discharged less charged. Diamonds: consumption.",
        "储能为放电减充电；菱形为用电量。",
    ),
    "chart.curtailed_heat": ("Curtailment by hour and day", "弃电时段分布"),
    "chart.curtailed_heat.note": (
        "Each column is a day, each row an hour. Grey: not simulated. Causes: see the list.",
        "横轴为日期，纵轴为小时，灰色为未仿真时段；可按成因查看。",
    ),
    "chart.curtailed_period": ("Curtailment by cause", "分成因弃电量"),
    "chart.curtailed_period.note": (
        "System: too little load or too little room to go down. Section: a line or an interface was full.",
        "系统调峰：低谷消纳空间不足；断面：线路或断面受限。",
    ),
    "chart.curtailed_zone": ("Curtailment by city", "分地区弃电量"),
    "chart.curtailed_zone.note": ("Where the curtailed plants are, and why.", "按电源所在地区及成因统计。"),
    "chart.gap": ("Gap of every window to its proven bound", "各窗口与证明下界的间隙"),
    "chart.gap.note": (
        "(cost - bound) / cost: the most that an exact solution of the window could still save.",
        "（成本－下界）／成本：精确求解该窗口最多还能节省的比例。",
    ),
    "chart.cpu": ("Computing time of every window", "各窗口计算时间"),
    "chart.cpu.note": ("CPU seconds.", "CPU 秒。"),
}
_AXES = {
    "axis.power.MW": ("power [MW]", "功率 [MW]"),
    "axis.power.GW": ("power [GW]", "功率 [GW]"),
    "axis.energy.MWh": ("energy [MWh]", "电量 [MWh]"),
    "axis.energy.GWh": ("energy [GWh]", "电量 [GWh]"),
    "axis.energy.TWh": ("energy [TWh]", "电量 [TWh]"),
    "axis.energy_per": ("energy [{unit} per {period}]", "电量 [{unit}/{period}]"),
    "axis.hour_of_day": ("hour of day", "时刻"),
    "axis.gap": ("gap [%]", "间隙 [%]"),
    "axis.cpu": ("time [s]", "时间 [s]"),
    "period.month": ("month", "月"),
    "period.week": ("week", "周"),
    "period.day": ("day", "日"),
    "load": ("load", "负荷"),
    "curtailed": ("curtailed", "弃电"),
    "unserved": ("unserved", "切负荷"),
    "mean": ("mean", "平均"),
    "gap": ("gap", "间隙"),
    "cpu": ("CPU time", "CPU 时间"),
}
_CAUSES = {
    "cause.all": ("all causes", "全部成因"),
    "cause.own": ("own connection", "送出工程受限"),
    "cause.section": ("line or section", "断面受限"),
    "cause.n1": ("N-1 security", "N-1 安全约束"),
    "cause.ramp": ("ramps, commitment", "爬坡与机组组合"),
    "cause.reserve": ("reserve", "备用约束"),
    "cause.system": ("system, valley too low", "系统调峰受限"),
    "cause.economic": ("economic", "经济性弃电"),
}
_TECHS_ZH = {
    "nuclear": "核电",
    "coal": "煤电",
    "gas": "气电",
    "biomass": "生物质",
    "hydro": "水电",
    "import": "区外来电",
    "exchange": "省间交流联络",
    "wind_offshore": "海上风电",
    "wind_onshore": "陆上风电",
    "pv": "光伏",
    "pumped_hydro": "抽水蓄能",
    "caes": "压缩空气储能",
    "battery": "新型储能（电池）",
    "hydrogen": "氢能",
    "heat": "储热",
    "ev": "电动汽车",
    "ac": "空调负荷",
    "dr_shift": "可转移负荷",
    "dr_interrupt": "可中断负荷",
    "dc_shift": "柔性直流",
    "other": "其他",
}
_ZONES_ZH = {
    "Nanjing": "南京",
    "Wuxi": "无锡",
    "Xuzhou": "徐州",
    "Changzhou": "常州",
    "Suzhou": "苏州",
    "Nantong": "南通",
    "Lianyungang": "连云港",
    "Huai'an": "淮安",
    "Yancheng": "盐城",
    "Yangzhou": "扬州",
    "Zhenjiang": "镇江",
    "Taizhou": "泰州",
    "Suqian": "宿迁",
    "external": "省外",
}
WORDS: dict[str, tuple[str, str]] = {
    **_PAGE,
    **_CONTROLS,
    **_CARDS,
    **_CHARTS,
    **_AXES,
    **_CAUSES,
    **{f"tech.{name}": (label_of(name), zh) for name, zh in _TECHS_ZH.items()},
    **{f"zone.{name}": (name, zh) for name, zh in _ZONES_ZH.items()},
}
