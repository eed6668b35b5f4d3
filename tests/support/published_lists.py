"""Samples of lists as the European Union, the United Kingdom and OFAC publish them; all of it is made up."""

from __future__ import annotations

EU_XML = """<?xml version="1.0" encoding="UTF-8"?>
<export xmlns="http://eu.europa.ec/fpi/fsd/export" generationDate="2026-11-30T00:00:00" globalFileId="1">
 <sanctionEntity designationDetails="" unitedNationId="QDi.001" euReferenceNumber="EU.27.28" logicalId="13">
  <remark>Said twice.</remark>
  <regulation regulationType="amendment" entryIntoForceDate="2004-07-08" numberTitle="1210/2003 (OJ L169)"
   programme="IRQ" logicalId="348"><publicationUrl>https://example.org</publicationUrl></regulation>
  <regulation entryIntoForceDate="2003-07-07" numberTitle="1799/2003 (OJ L264)" programme="IRQ"/>
  <subjectType code="person" classificationCode="P"/>
  <nameAlias firstName="Karim" middleName="" lastName="Testov" wholeName="Karim Testov" function="Minister"
   gender="M" title="" strong="true" logicalId="17"/>
  <nameAlias wholeName="Abu Test" strong="false"/>
  <nameAlias wholeName="Карим Тестов" strong="true"/>
  <citizenship countryIso2Code="IQ" countryDescription="IRAQ"/>
  <citizenship countryIso2Code="00" countryDescription="UNKNOWN"/>
  <birthdate circa="false" calendarType="GREGORIAN" birthdate="1957-04-28" year="1957" city="al-Awja"
   countryIso2Code="IQ" countryDescription="IRAQ"/>
  <birthdate circa="true" calendarType="GREGORIAN" year="1958" countryIso2Code="00"/>
  <birthdate calendarType="ISLAMIC" year="1377"/>
  <birthdate calendarType="GREGORIAN" yearRangeFrom="1955" yearRangeTo="1959"/>
  <identification knownFalse="true" number="S1234567" identificationTypeCode="passport"
   identificationTypeDescription="National passport" countryIso2Code="IQ"><remark>Kept</remark></identification>
  <address street="Street 1" city="Basra" zipCode="61001" countryIso2Code="IQ" countryDescription="IRAQ"/>
 </sanctionEntity>
 <sanctionEntity logicalId="14" euReferenceNumber="EU.1.1">
  <subjectType code="enterprise" classificationCode="E"/>
  <nameAlias wholeName="Sample Metals Trading LLC" strong="true"/>
  <regulation programme="RUS"/>
 </sanctionEntity>
</export>"""

EU_COLUMNS = (
    "fileGenerationDate;Entity_LogicalId;Entity_EU_ReferenceNumber;Entity_UnitedNationId;Entity_Remark;"
    "Entity_SubjectType;Entity_SubjectType_ClassificationCode;Entity_Regulation_EntryIntoForceDate;"
    "Entity_Regulation_NumberTitle;Entity_Regulation_Programme;NameAlias_LastName;NameAlias_FirstName;"
    "NameAlias_WholeName;NameAlias_Gender;Address_City;Address_Street;Address_CountryIso2Code;BirthDate_BirthDate;"
    "BirthDate_Year;BirthDate_City;BirthDate_CountryIso2Code;Identification_Number;Identification_TypeCode;"
    "Identification_TypeDescription;Identification_CountryIso2Code;Citizenship_CountryIso2Code"
)


def eu_line(**cells: str) -> str:
    names = EU_COLUMNS.split(";")
    assert set(cells) <= set(names)
    return ";".join(cells.get(name, "") for name in names)


EU_CSV = "\n".join(
    [
        EU_COLUMNS,
        eu_line(
            Entity_LogicalId="13",
            Entity_SubjectType="person",
            Entity_Regulation_Programme="IRQ",
            Entity_Regulation_EntryIntoForceDate="2003-07-07",
            NameAlias_WholeName="Karim Testov",
            NameAlias_Gender="M",
        ),
        eu_line(Entity_LogicalId="13", Entity_SubjectType="person", NameAlias_WholeName="Abu Test"),
        eu_line(
            Entity_LogicalId="13",
            Entity_SubjectType="person",
            BirthDate_BirthDate="1957-04-28",
            BirthDate_City="al-Awja",
            BirthDate_CountryIso2Code="IQ",
        ),
        eu_line(
            Entity_LogicalId="13",
            Entity_SubjectType="person",
            Identification_Number="S1234567",
            Identification_TypeCode="passport",
            Identification_CountryIso2Code="IQ",
        ),
        eu_line(Entity_LogicalId="13", Entity_SubjectType="person", Citizenship_CountryIso2Code="IQ"),
        eu_line(
            Entity_LogicalId="14",
            Entity_SubjectType="enterprise",
            NameAlias_WholeName="Sample Metals Trading LLC",
            Address_City="Dubai",
            Address_CountryIso2Code="AE",
        ),
        "",
    ]
)

UK_XML = """<?xml version="1.0"?>
<Designations><DateGenerated>30/11/2026</DateGenerated>
 <Designation><UniqueID>AFG0006</UniqueID><OFSIGroupID>7123</OFSIGroupID><UNReferenceNumber>TAi.002</UNReferenceNumber>
  <Names>
   <Name><Name6>Wali Muster</Name6><NameType>ALias</NameType><AliasStrength>Low quality a.k.a</AliasStrength></Name>
   <Name><Name1>MOHAMMAD</Name1><Name2>HASSAN</Name2><Name6>MUSTER</Name6><NameType>Primary name</NameType></Name>
   <Name><Name1>MOHAMAD</Name1><Name6>MUSTER</Name6><NameType>Primary Name Variation</NameType></Name>
  </Names>
  <NonLatinNames><NonLatinName><NameNonLatinScript>محمد حسن</NameNonLatinScript></NonLatinName></NonLatinNames>
  <RegimeName>The Afghanistan (Sanctions) (EU Exit) Regulations 2020</RegimeName>
  <IndividualEntityShip>Individual</IndividualEntityShip><DateDesignated>25/01/2001</DateDesignated>
  <SanctionsImposed>Asset freeze|Travel Ban</SanctionsImposed>
  <Addresses><Address><AddressLine1>1 Road</AddressLine1><AddressLine6>Kabul</AddressLine6>
   <AddressPostalCode>1001</AddressPostalCode><AddressCountry>Afghanistan</AddressCountry></Address></Addresses>
  <IndividualDetails><Individual>
   <DOBs><DOB>dd/mm/1945</DOB><DOB>07/03/1946</DOB></DOBs>
   <Nationalities><Nationality>Afghanistan</Nationality></Nationalities>
   <BirthDetails><Location><TownOfBirth>Kandahar</TownOfBirth><CountryOfBirth>Afghanistan</CountryOfBirth></Location>
   </BirthDetails>
   <PassportDetails><Passport><PassportNumber>D000001</PassportNumber>
    <PassportAdditionalInformation>Afghanistan</PassportAdditionalInformation></Passport></PassportDetails>
   <NationalIdentifierDetails><NationalIdentifier><NationalIdentifierNumber>42</NationalIdentifierNumber>
    <NationalIdentifierAdditionalInformation>Issued in 2003 by the ministry</NationalIdentifierAdditionalInformation>
   </NationalIdentifier></NationalIdentifierDetails>
   <Positions><Position>Minister</Position></Positions>
  </Individual></IndividualDetails>
 </Designation>
 <Designation><UniqueID>RUS0999</UniqueID>
  <Names><Name><Name6>SAMPLE STAR</Name6><NameType>Primary Name</NameType></Name></Names>
  <RegimeName>Russia</RegimeName><IndividualEntityShip>Ship</IndividualEntityShip>
  <ShipDetails><Ship><IMONumbers><IMONumber>9074729</IMONumber></IMONumbers>
   <TypeOfShipDetails><TypeOfShip>Tanker</TypeOfShip></TypeOfShipDetails></Ship></ShipDetails>
 </Designation>
 <Designation><UniqueID>X1</UniqueID><Names><Name><Name6>X</Name6><NameType>Primary Name</NameType></Name></Names>
  <IndividualEntityShip>Aeroplane</IndividualEntityShip></Designation>
</Designations>"""

CON_LIST = """<?xml version="1.0"?>
<ArrayOfFinancialSanctionsTarget>
 <FinancialSanctionsTarget><name1>Mohammad</name1><name2>Hassan</name2><Name6>MUSTER</Name6>
  <AliasTypeName>Primary name</AliasTypeName><GroupID>7123</GroupID>
  <GroupTypeDescription>Individual</GroupTypeDescription>
  <RegimeName>Afghanistan</RegimeName><DateListed>2001-02-25T00:00:00</DateListed>
  <Individual_DateOfBirth>(1) 00/00/1945 (2) 07/03/1946</Individual_DateOfBirth>
  <Individual_PassportNumber>(1) D000001 (2) D000002</Individual_PassportNumber>
  <Individual_PassportDetails>(1) Afghanistan (2) Pakistan</Individual_PassportDetails>
  <Individual_Nationality>Afghanistan</Individual_Nationality>
  <Address1>1 Road</Address1><Address6>Kabul</Address6><Country>Afghanistan</Country>
 </FinancialSanctionsTarget>
 <FinancialSanctionsTarget><Name6>SAMPLE METALS</Name6><AliasTypeName>Primary name</AliasTypeName><GroupID>8</GroupID>
  <GroupTypeDescription>Entity</GroupTypeDescription><RegimeName>Russia</RegimeName></FinancialSanctionsTarget>
 <FinancialSanctionsTarget><Name6>Wali Muster</Name6><AliasTypeName>AKA</AliasTypeName><GroupID>7123</GroupID>
  <AliasQuality>Low quality</AliasQuality><GroupTypeDescription>Individual</GroupTypeDescription>
  <RegimeName>Afghanistan</RegimeName></FinancialSanctionsTarget>
</ArrayOfFinancialSanctionsTarget>"""

OFAC_XML = """<?xml version="1.0"?>
<Sanctions xmlns="https://example.org/ADVANCED_XML" Version="3">
 <ReferenceValueSets>
  <AliasTypeValues><AliasType ID="1400">A.K.A.</AliasType><AliasType ID="1401">F.K.A.</AliasType>
   <AliasType ID="1403">Name</AliasType></AliasTypeValues>
  <CountryValues><Country ID="11082" ISO2="ID">Indonesia</Country><Country ID="11110" ISO2="CN">China</Country>
  </CountryValues>
  <DetailReferenceValues><DetailReference ID="91526">Male</DetailReference></DetailReferenceValues>
  <FeatureTypeValues><FeatureType ID="8">Birthdate</FeatureType><FeatureType ID="9">Place of Birth</FeatureType>
   <FeatureType ID="10">Nationality Country</FeatureType><FeatureType ID="25">Location</FeatureType>
   <FeatureType ID="224">Gender</FeatureType></FeatureTypeValues>
  <IDRegDocTypeValues><IDRegDocType ID="1571">Passport</IDRegDocType></IDRegDocTypeValues>
  <IDRegDocDateTypeValues><IDRegDocDateType ID="1481">Expiration Date</IDRegDocDateType></IDRegDocDateTypeValues>
  <LocPartTypeValues><LocPartType ID="1451">ADDRESS1</LocPartType><LocPartType ID="1454">CITY</LocPartType>
  </LocPartTypeValues>
  <NamePartTypeValues><NamePartType ID="1520">Last Name</NamePartType><NamePartType ID="1521">First Name</NamePartType>
   <NamePartType ID="1525">Entity Name</NamePartType></NamePartTypeValues>
  <PartySubTypeValues><PartySubType ID="1" PartyTypeID="4">Vessel</PartySubType>
   <PartySubType ID="3" PartyTypeID="2">Unknown</PartySubType>
   <PartySubType ID="4" PartyTypeID="1">Unknown</PartySubType>
  </PartySubTypeValues>
  <PartyTypeValues><PartyType ID="1">Individual</PartyType><PartyType ID="2">Entity</PartyType></PartyTypeValues>
  <SanctionsTypeValues><SanctionsType ID="1">Program</SanctionsType></SanctionsTypeValues>
  <ScriptValues><Script ID="215" ScriptCode="Latn">Latin</Script><Script ID="220" ScriptCode="Hans">Chinese</Script>
  </ScriptValues>
 </ReferenceValueSets>
 <Locations>
  <Location ID="25"><LocationCountry CountryID="11082"/><LocationPart LocPartTypeID="1454">
   <LocationPartValue Primary="true"><Value>Jakarta</Value></LocationPartValue></LocationPart></Location>
  <Location ID="26"><LocationCountry CountryID="11110"/></Location>
 </Locations>
 <IDRegDocuments><IDRegDocument ID="7" IDRegDocTypeID="1571" IdentityID="4" IssuedBy-CountryID="11110">
  <IDRegistrationNo>E1234567</IDRegistrationNo><DocumentDate IDRegDocDateTypeID="1481"><DatePeriod><Start><From>
   <Year>2030</Year><Month>5</Month><Day>6</Day></From></Start></DatePeriod></DocumentDate></IDRegDocument>
 </IDRegDocuments>
 <DistinctParties>
  <DistinctParty FixedRef="36"><Comment/><Profile ID="36" PartySubTypeID="4"><Identity ID="4" Primary="true">
   <Alias AliasTypeID="1400" Primary="false" LowQuality="true"><DocumentedName><DocumentedNamePart>
    <NamePartValue NamePartGroupID="1" ScriptID="215">LAO LI</NamePartValue></DocumentedNamePart></DocumentedName>
    </Alias>
   <Alias AliasTypeID="1403" Primary="true" LowQuality="false">
    <DocumentedName><DocumentedNamePart><NamePartValue NamePartGroupID="1" ScriptID="215">LI</NamePartValue>
     </DocumentedNamePart><DocumentedNamePart><NamePartValue NamePartGroupID="2" ScriptID="215">Muster</NamePartValue>
     </DocumentedNamePart></DocumentedName>
    <DocumentedName><DocumentedNamePart><NamePartValue NamePartGroupID="2" ScriptID="220">样本</NamePartValue>
     </DocumentedNamePart><DocumentedNamePart><NamePartValue NamePartGroupID="1" ScriptID="220">李</NamePartValue>
     </DocumentedNamePart></DocumentedName></Alias>
   <NamePartGroups><MasterNamePartGroup><NamePartGroup ID="1" NamePartTypeID="1520"/></MasterNamePartGroup>
    <MasterNamePartGroup><NamePartGroup ID="2" NamePartTypeID="1521"/></MasterNamePartGroup></NamePartGroups></Identity>
   <Feature FeatureTypeID="8"><FeatureVersion><DatePeriod><Start Approximate="false"><From><Year>1972</Year>
    <Month>9</Month><Day>18</Day></From></Start><End><To><Year>1972</Year><Month>9</Month><Day>18</Day></To></End>
    </DatePeriod></FeatureVersion></Feature>
   <Feature FeatureTypeID="9"><FeatureVersion><VersionDetail>Dalian, China</VersionDetail></FeatureVersion></Feature>
   <Feature FeatureTypeID="10"><FeatureVersion><VersionLocation LocationID="26"/></FeatureVersion></Feature>
   <Feature FeatureTypeID="25"><FeatureVersion><VersionLocation LocationID="25"/></FeatureVersion></Feature>
   <Feature FeatureTypeID="224"><FeatureVersion><VersionDetail DetailReferenceID="91526"/></FeatureVersion></Feature>
  </Profile></DistinctParty>
 </DistinctParties>
 <SanctionsEntries><SanctionsEntry ID="1" ProfileID="36" ListID="1550"><EntryEvent><Date><Year>2009</Year>
  <Month>4</Month><Day>7</Day></Date></EntryEvent><SanctionsMeasure SanctionsTypeID="1"><Comment>NPWMD</Comment>
  </SanctionsMeasure></SanctionsEntry></SanctionsEntries>
</Sanctions>"""

HK_XML = """<?xml version="1.0" encoding="UTF-8"?>
<CONSOLIDATED_LIST dateGenerated="2026-11-02T03:00:00.000Z">
 <INDIVIDUALS>
  <INDIVIDUAL><DATAID>9001</DATAID><VERSIONNUM>1</VERSIONNUM><FIRST_NAME>PAK</FIRST_NAME><SECOND_NAME>MUSTER</SECOND_NAME>
   <UN_LIST_TYPE>DPRK</UN_LIST_TYPE><REFERENCE_NUMBER>KPi.901</REFERENCE_NUMBER><LISTED_ON>2017-06-02</LISTED_ON>
   <NAME_ORIGINAL_SCRIPT>박무스터</NAME_ORIGINAL_SCRIPT><COMMENTS1>Sample of no real person.</COMMENTS1>
   <HAS_INTERPOL_LINK>NO</HAS_INTERPOL_LINK><INTERPOL_LINK/>
   <DESIGNATION><VALUE>Sample Representative</VALUE></DESIGNATION><NATIONALITY>
   <VALUE>Democratic People's Republic of Korea</VALUE></NATIONALITY><LIST_TYPE><VALUE>UN List</VALUE></LIST_TYPE>
   <LAST_DAY_UPDATED><VALUE>2018-08-08</VALUE></LAST_DAY_UPDATED><LAST_REVIEWED_ON><VALUE>2024-01-05</VALUE>
   </LAST_REVIEWED_ON>
   <INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Pak Mu-ster; Park Muster</ALIAS_NAME>
    <DATE_OF_BIRTH>1984 - 1986</DATE_OF_BIRTH></INDIVIDUAL_ALIAS>
   <INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>Mr. Pak</ALIAS_NAME></INDIVIDUAL_ALIAS>
   <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>1972-09-18</DATE></INDIVIDUAL_DATE_OF_BIRTH>
   <INDIVIDUAL_PLACE_OF_BIRTH><CITY>Hamhung</CITY><COUNTRY>Democratic People's Republic of Korea</COUNTRY>
   </INDIVIDUAL_PLACE_OF_BIRTH>
   <INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>836000001</NUMBER>
    <ISSUING_COUNTRY>Democratic People's Republic of Korea</ISSUING_COUNTRY></INDIVIDUAL_DOCUMENT>
   <DESIG>true</DESIG><ADDRESS>false</ADDRESS><GOODQUALITY>true</GOODQUALITY><PASSPORT>true</PASSPORT>
   <SORT_KEY>MUSTER</SORT_KEY><SORT_KEY_LAST_MOD>2018-08-08</SORT_KEY_LAST_MOD></INDIVIDUAL>
 </INDIVIDUALS>
 <ENTITIES>
  <ENTITY><DATAID>9002</DATAID><VERSIONNUM>1</VERSIONNUM><FIRST_NAME>SAMPLE MINING DEVELOPMENT CORPORATION</FIRST_NAME>
   <UN_LIST_TYPE>DPRK</UN_LIST_TYPE><REFERENCE_NUMBER>KPe.902</REFERENCE_NUMBER><LISTED_ON>2009-04-24</LISTED_ON>
   <ENTITY_ALIAS><QUALITY>a.k.a.</QUALITY><ALIAS_NAME>SMDC</ALIAS_NAME></ENTITY_ALIAS>
   <ENTITY_ALIAS><QUALITY>f.k.a.</QUALITY><ALIAS_NAME>Sample Bureau</ALIAS_NAME></ENTITY_ALIAS>
   <ENTITY_ADDRESS><STREET>Central District</STREET><CITY>Pyongyang</CITY>
    <COUNTRY>Democratic People's Republic of Korea</COUNTRY></ENTITY_ADDRESS></ENTITY>
 </ENTITIES>
</CONSOLIDATED_LIST>"""
