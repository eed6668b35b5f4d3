"""Words and shares from which `bench.list_names` makes entries.

Shares of mainland surnames are those of the published counts of 2007 (per cent; the smaller ones rounded). Those of
Hong Kong and Macao are rounded from published samples and only about right. Given names: the characters that the yearly
reports on names put first, about in their order, falling off with the rank (Zipf), as they do in registers. Words of
companies: what the registers of the three places show most often; no shares are published, so Zipf again.
"""

from __future__ import annotations

MAINLAND_SURNAMES = (
    "王7.25 李7.19 张6.83 刘5.38 陈4.53 杨3.08 赵2.29 黄2.23 周2.12 "
    "吴2.05 徐1.67 孙1.54 胡1.31 朱1.26 高1.21 林1.18 何1.17 "
    "郭1.15 马1.05 罗0.86 梁0.84 宋0.81 郑0.78 谢0.72 韩0.68 唐0.65 "
    "冯0.64 于0.62 董0.61 萧0.59 程0.57 曹0.57 袁0.54 邓0.54 "
    "许0.54 傅0.51 沈0.50 曾0.50 彭0.49 吕0.47 苏0.47 卢0.47 蒋0.47 "
    "蔡0.46 魏0.45 丁0.43 贾0.42 薛0.42 叶0.42 潘0.42 余0.41 "
    "阎0.41 杜0.40 田0.40 任0.40 姜0.40 戴0.39 夏0.37 汪0.37 钟0.37 "
    "范0.36 方0.36 石0.34 姚0.34 谭0.34 廖0.34 邹0.33 熊0.32 "
    "金0.31 陆0.31 郝0.29 孔0.28 白0.28 崔0.28 康0.27 毛0.27 邱0.27 "
    "秦0.26 江0.26 史0.26 顾0.25 侯0.25 邵0.24 孟0.24 龙0.23 "
    "万0.23 段0.22 雷0.22 钱0.22 汤0.21 尹0.21 黎0.20 易0.20 "
    "常0.20 武0.20 乔0.19 贺0.19 赖0.18 龚0.18 文0.17 欧阳0.10 "
    "司徒0.02 诸葛0.01 上官0.02"
)
SOUTHERN_SURNAMES = (
    "陈9.8 黄6.6 李6.4 梁5.2 林4.9 张4.6 吴4.0 刘3.6 何2.8 郑2.5 "
    "叶2.2 罗2.1 周2.0 杨1.9 邓1.8 王1.7 冯1.7 谭1.6 麦1.2 蔡1.6 "
    "许1.5 曾1.5 余1.4 苏1.3 谢1.3 朱1.3 郭1.3 关1.1 胡1.0 卢1.0 "
    "徐1.0 马1.0 赵1.0 黎1.0 潘0.9 钟0.9 区0.6 欧阳0.5 伍0.6 "
    "简0.4 莫0.4 萧0.6 江0.5 温0.5 彭0.4 汤0.4 司徒0.2 卓0.2 方0.5 袁0.5"
)
GIVEN_NAMES = (
    "伟芳秀娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华文辉玲建国玉红春梅海燕志小宇浩鑫子雨欣梓涵雪嘉怡俊佳思家豪俊凯晓婷颖波"
    "鹏飞龙斌峰林洁琳慧莉珍兰香云凤仪美贵福荣昌永康德胜利民忠义信良才生发财兴旺金银宝玲珊珠瑞祥和顺天地光阳晨曦月星辰晴雯雅琴"
    "诗韵清泉江河湖山川松柏竹菊莲荷蓉芬芝萍苹艺书学思远博达仁礼智诚正直东南西北中立新安宁乐喜庆成功业力毅刚健壮武雄彪虎少卿"
    "彦哲睿轩泽翔航帆程锦绣淑贤惠娴贞媛婉妍娇妮倩薇蕾蔷莎菲琪瑶瑾璐璇珂佩锐钢铁铭钰锋振启展威宏伯仲叔季孝悌廷光耀辉煌鸿"
)
WESTERN_MEN = (
    "Peter John David Michael Andrew Kelvin Raymond Eric Alex Jason Kenneth Simon Paul Patrick Stephen Alan Thomas "
    "William Henry Edward Vincent Benjamin Dennis Tony Jacky Ricky "
    "Billy Danny Daniel Joseph Anthony Charles Gary Roy "
    "Samuel Ivan Felix Edmund Wilson Franklin Eddie Victor Albert Derek Gordon Leo Marco Nelson Oscar Terence"
)
WESTERN_WOMEN = (
    "Mary Grace Amy Carmen Joyce Janet Winnie Karen Connie "
    "Vivian Christine Alice Helen Cindy Susan Catherine Jessica "
    "Rebecca Emily Fiona Angela Teresa Yvonne Wendy Sandy Eva Irene Doris Queenie Josephine Candy Phoebe Iris Bonnie "
    "Agnes Florence Daisy Rita Maggie Polly Stella Joanna Michelle Cherry Ada Bella Cecilia Dora Elsa Frances"
)
FOREIGN_GIVEN = {
    "arabic": "Mohammed Ahmad Ali Hassan Hussein Mahmoud Ibrahim Abdullah Khalid Omar Yusuf Saleh Said Mustafa Hamid "
    "Karim Nasser Faisal Tariq Jamal Samir Walid Ismail Rashid Bilal Adnan Abbas Jaber Anwar Zaid Munir Fadi Qasim "
    "Sami Habib Bashir Idris Yahya Suleiman Majid Fuad Ghassan Haitham Imad Jawad Kamal Latif Marwan Nabil Osama",
    "portuguese": "João Maria José António Manuel Ana Carlos Pedro Paulo Luís Francisco Fernando Rui Jorge Miguel "
    "Teresa Isabel Cristina Helena Catarina Sofia Rita Margarida Ricardo Tiago Nuno Hugo Bruno André Filipe Gonçalo",
    "english": "James Robert John Michael William David Richard Thomas Charles Daniel Matthew Mark Donald Steven "
    "Andrew Paul Joshua Kenneth Kevin Brian George Timothy Ronald Edward Jason Jeffrey Ryan Jacob Mary Patricia "
    "Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Sandra Margaret Ashley Kimberly",
    "russian": "Alexander Sergey Dmitry Andrey Alexey Maxim Evgeny Ivan Mikhail Vladimir Nikolay Pavel Roman Oleg "
    "Igor Viktor Yury Anatoly Boris Konstantin Elena Olga Natalia Svetlana Tatiana Irina Anna Marina Oksana Ludmila",
    "persian": "Reza Hossein Mehdi Amir Saeed Hamid Masoud Majid Alireza Behrouz Davood Farhad Javad Kamran Mansour "
    "Nader Omid Parviz Ramin Siamak Shahram Vahid Zahra "
    "Fatemeh Maryam Leila Nasrin Parisa Shirin Mohsen Abbas Asghar",
}
FOREIGN_FAMILY = {
    "arabic": "al-Tikriti al-Hassan al-Masri Haddad Khoury Mansour Saleh al-Najjar Barakat Darwish al-Zawahiri Farah "
    "Ghanem Hamdan al-Ubaydi Jaber Kanaan Maalouf Nasrallah Odeh Qureshi Rahman Sabbagh Shaheen Tamimi Yassin Zogby "
    "al-Jabouri al-Dulaimi al-Samarrai al-Shami al-Libi al-Iraqi Bakri Habash Issa Juma Khatib Mubarak Nour Othman",
    "portuguese": "da Silva dos Santos Ferreira Pereira Oliveira Costa Rodrigues Martins Fernandes Gonçalves Gomes "
    "Lopes Marques Alves Almeida Ribeiro Pinto Carvalho Teixeira Moreira Correia Mendes Nunes Soares Vieira Monteiro "
    "Cardoso Rocha Neves Coelho Cruz Cunha Pires Ramos "
    "Reis Simões Antunes Matos Fonseca Morais Rosário Senna d'Assumpção",
    "english": "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Thomas Moore Martin Jackson "
    "Thompson White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Baker Nelson "
    "Carter Mitchell Roberts Turner Phillips Campbell Parker Evans Edwards Collins Stewart Morris Murphy Cook Rogers",
    "russian": "Ivanov Smirnov Kuznetsov Popov Vasiliev Petrov Sokolov Mikhailov Novikov Fedorov Morozov Volkov "
    "Alekseev Lebedev Semenov Egorov Pavlov Kozlov Stepanov Nikolaev Orlov Andreev Makarov Nikitin Zakharov Zaitsev "
    "Solovyov Borisov Yakovlev Grigoriev Romanov Vorobyov Sergeev Kuzmin Frolov Alexandrov Dmitriev Korolev Gusev",
    "persian": "Mohammadi Hosseini Ahmadi Rezaei Moradi Karimi Jafari Hashemi Ebrahimi Rahimi Kazemi Mousavi Sadeghi "
    "Ghorbani Akbari Heidari Shahbazi Tehrani Nazari Rostami "
    "Bagheri Farahani Golzar Khani Lotfi Mirzaei Naderi Omidi",
}
CORE_CHARACTERS = (
    "华金达盛鑫宏天恒信海新德宝泰兴龙瑞福源荣永昌利安丰顺通康和祥东美中联合国富佳凯亿万吉嘉博创诚正远大方圆星光辉明阳春晖"
    "锦绣江河山川云峰飞腾跃翔鹏凤鸿运隆裕益民众友同心力强伟业成功立志高卓越尚品优特精科奥威尔斯达赛格诺迪亚欧美林森木石玉"
)
BUSINESSES = (
    ("贸易", "Trading"), ("科技", "Technology"), ("实业", "Industrial"), ("投资", "Investment"),
    ("物流", "Logistics"), ("国际贸易", "International Trading"), ("电子", "Electronics"),
    ("进出口", "Import & Export"), ("货运代理", "Freight Forwarding"), ("控股", "Holdings"), ("化工", "Chemical"),
    ("金属", "Metal"), ("矿业", "Mining"), ("有色金属", "Nonferrous Metals"), ("半导体", "Semiconductor"),
    ("新材料", "New Materials"), ("机械", "Machinery"), ("船务", "Shipping"), ("工程", "Engineering"),
    ("建材", "Building Materials"), ("五金", "Hardware"), ("纺织", "Textile"), ("食品", "Food"),
    ("医药", "Pharmaceutical"), ("能源", "Energy"), ("环保", "Environmental Protection"), ("光电", "Optoelectronics"),
    ("稀土", "Rare Earth"), ("钨业", "Tungsten"), ("供应链管理", "Supply Chain Management"), ("咨询", "Consulting"),
    ("运输", "Transport"), ("集团", "Group"), ("仓储", "Warehousing"), ("珠宝", "Jewellery"), ("酒店", "Hotel"),
)  # fmt: skip
MAINLAND_FORMS = (
    ("有限公司", "Co., Ltd."),
    ("有限责任公司", "Co., Ltd."),
    ("股份有限公司", "Co., Ltd."),
    ("厂", "Factory"),
)
HONG_KONG_FORMS = (
    ("有限公司", "Limited"),
    ("有限公司", "Company Limited"),
    ("有限公司", "Co. Ltd"),
    ("集團有限公司", "Group Limited"),
)
MACAO_FORMS = (
    ("有限公司", "Limitada"),
    ("一人有限公司", "Sociedade Unipessoal Limitada"),
    ("股份有限公司", "S.A."),
    ("有限公司", "Lda."),
)
MAINLAND_PLACES = (
    ("深圳市", "Shenzhen"), ("广州市", "Guangzhou"), ("上海", "Shanghai"), ("北京", "Beijing"), ("东莞市", "Dongguan"),
    ("珠海", "Zhuhai"), ("佛山市", "Foshan"), ("广东", "Guangdong"), ("宁波", "Ningbo"), ("厦门", "Xiamen"),
    ("湖南", "Hunan"), ("江西", "Jiangxi"), ("株洲", "Zhuzhou"), ("赣州", "Ganzhou"), ("南京", "Nanjing"),
    ("天津", "Tianjin"), ("青岛", "Qingdao"), ("苏州", "Suzhou"), ("杭州", "Hangzhou"), ("中山市", "Zhongshan"),
)  # fmt: skip
FOREIGN_CORES = (
    "Global Star Gulf Delta Apex Orient Falcon Crescent Pacific Atlas Nova Prime Summit Eagle Phoenix Golden Silver "
    "Blue Green Ocean Royal Crown Diamond Pearl Titan Vega Orion Sigma Omega Alpha Beta Gamma Zenith Horizon Unity "
    "Liberty Pioneer Frontier Beacon Anchor Harbour Bridge Gate "
    "Tower Castle River Mountain Valley Desert Oasis Cedar "
    "Palm Olive Rose Lotus Jasmine Tiger Lion Dragon Wolf Bear Hawk Raven Swan Dolphin Shark Coral Amber Jade Ruby "
    "Sapphire Emerald Opal Topaz Onyx Quartz Cobalt Nickel Chrome Carbon Helium Neon Argon Radon Xenon Tekno Invest "
    "Sahara Nile Tigris Euphrates Caspian Baltic Ural Volga Neva Siberia Altai Pamir Hindu Kush Sind Bengal Malabar "
    "Ceylon Java Sumatra Borneo Luzon Mekong Annam Tonkin Siam Burma Shan Karen Yunnan Tarim Gobi Orkhon Baikal Amur"
)
FOREIGN_BUSINESSES = (
    "Trading Shipping Logistics Industries Petrochemical Metals Electronics Engineering Investments Resources "
    "Commodities Technologies Marine Aviation Minerals Steel Chemicals Energy Machinery Systems"
)
FOREIGN_FORMS = "LLC,FZE,FZCO,Ltd,GmbH,LLP,Inc.,S.A.,OOO,JSC,Pte. Ltd.,Sdn Bhd,S.R.L.,B.V.,PLC,Co."
VESSEL_WORDS = (
    "Ocean Sea Star Pacific Dragon Golden Fortune Hope Glory "
    "Victory Pearl Eagle Orient Asia Bright Grand Lucky Silver "
    "Harmony Spirit Pioneer Express Trader Carrier Bulk Sun Moon Sky Wind Wave Spring Summer Jade Coral Phoenix Venus"
)
STREETS = (
    "Nathan Road,Queen's Road Central,Castle Peak Road,Kwun Tong Road,Des Voeux Road West,Hennessy Road,King's Road,"
    "Canton Road,Container Port Road South,Lockhart Road,Gloucester Road,Wo Yi Hop Road,Hung To Road,Hoi Yuen Road,"
    "Avenida da Praia Grande,Avenida de Almeida Ribeiro,Rua de Pedro Coutinho,Alameda Dr. Carlos d'Assumpção"
)
HAN_STREETS = (
    "深南大道,福华路,滨河路,宝安大道,人民南路,中山路,解放路,建设路,珠江路,天河北路,南京西路,长安街,情侣路,前海路"
)
