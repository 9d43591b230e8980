startTheme();
startTables();
startFigures();
startCurves();
startPictures();
startProvenance();
startNavigation();
